/* Records of control frames, checked before anybody looks at them, and the ones that several requests share.
 *
 * An agent runs beside a user's code and may be that code. So text is cut off from C's string functions' traps
 * here, once: no record of text holds a NUL, every number has its eight bytes. Unknown tags pass: a newer agent may
 * say more.
 */
#include "agent/session_internal.h"
#include "base/alloc.h"

static bool is_number(uint16_t tag)
{
    switch (tag) {
    case SKL_TAG_VERSION:
    case SKL_TAG_RECEIVED:
    case SKL_TAG_STATE:
    case SKL_TAG_OFFSET:
    case SKL_TAG_OLDEST:
    case SKL_TAG_RUN:
    case SKL_TAG_CODE:
    case SKL_TAG_SIGNAL_NO:
    case SKL_TAG_OOM:
    case SKL_TAG_PID:
    case SKL_TAG_TTY:
    case SKL_TAG_STDIN_OPEN:
    case SKL_TAG_ROWS:
    case SKL_TAG_COLS:
    case SKL_TAG_NO_OVERWRITE_DIR:
    case SKL_TAG_COPY_UIDGID:
    case SKL_TAG_SIZE:
    case SKL_TAG_MODE:
    case SKL_TAG_MTIME_NS:
    case SKL_TAG_WARM_SECONDS:
    case SKL_TAG_IMAGE_ENV:
    case SKL_TAG_STREAM:
    case SKL_TAG_WINDOW:
    case SKL_TAG_EXIT_KNOWN:
    case SKL_TAG_INIT:
    case SKL_TAG_STARTED_NS:
    case SKL_TAG_FINISHED_NS:
    case SKL_TAG_PRIVILEGED:
    case SKL_TAG_CONSUMED:
    case SKL_TAG_PORT:
    case SKL_TAG_VIEW:
    case SKL_TAG_IF_CHANGED:
    case SKL_TAG_REPLACE:
        return true;
    default:
        return false;
    }
}

static bool carries_records(uint8_t type)
{
    return type != SKL_FRAME_STDOUT && type != SKL_FRAME_STDERR && type != SKL_FRAME_STDIN &&
           type != SKL_FRAME_TUNNEL_DATA;
}

const char *session_check_records(const struct skl_frame *f)
{
    struct skl_str rest = f->payload;
    struct skl_tlv r;
    int rc;

    if (!carries_records(f->type))
        return NULL;
    while ((rc = skl_tlv_next(&rest, &r, NULL)) > 0) {
        if (is_number(r.tag) && r.value.n != 8)
            return "a number of a wrong size";
        if (!is_number(r.tag) && r.value.n && memchr(r.value.p, '\0', r.value.n))
            return "text with a NUL in it";
    }
    return rc < 0 ? "malformed records" : NULL;
}

void session_read_error(const struct skl_frame *f, struct skl_error *ret, int *code)
{
    static const enum skl_kind kinds[] = {SKL_E_INVALID,    SKL_E_FORBIDDEN, SKL_E_NOTFOUND,
                                          SKL_E_CONFLICT,   SKL_E_TOOBIG,    SKL_E_UNSUPPORTED,
                                          SKL_E_NOTMODIFIED};
    char *message SKL_AUTO_STR = skl_tlv_find_dup(f->payload, SKL_TAG_MESSAGE);
    uint64_t said = skl_tlv_find_num(f->payload, SKL_TAG_CODE, 500);
    enum skl_kind kind = SKL_E_INTERNAL;

    *code = said <= 599 ? (int)said : 500;
    for (size_t i = 0; i < SKL_ARRAY_LEN(kinds); i++)
        if (skl_kind_status(kinds[i]) == *code)
            kind = kinds[i];
    skl_fail(ret, kind, "%s", !skl_str_empty(message) ? message : "the agent gave no reason");
}

static void add_all(struct skl_buf *b, enum skl_tag tag, char *const *v)
{
    for (; v && *v; v++)
        skl_tlv_strz(b, tag, *v);
}

void session_write_spec(const struct skl_process_spec *spec, struct skl_buf *b)
{
    add_all(b, SKL_TAG_ARG, spec->argv);
    add_all(b, SKL_TAG_ENV, spec->env);
    skl_tlv_strz(b, SKL_TAG_CWD, spec->cwd);
    skl_tlv_strz(b, SKL_TAG_USER, spec->user);
    skl_tlv_u64(b, SKL_TAG_TTY, spec->tty);
    skl_tlv_u64(b, SKL_TAG_STDIN_OPEN, spec->stdin_open);
    skl_tlv_u64(b, SKL_TAG_PRIVILEGED, spec->privileged);
    skl_tlv_u64(b, SKL_TAG_ROWS, spec->rows);
    skl_tlv_u64(b, SKL_TAG_COLS, spec->cols);
    add_all(b, SKL_TAG_GROUP_ADD, spec->group_add);
    add_all(b, SKL_TAG_ULIMIT, spec->ulimits);
    skl_tlv_strz(b, SKL_TAG_HOSTNAME, spec->hostname);
    add_all(b, SKL_TAG_HOSTS, spec->hosts);
}
