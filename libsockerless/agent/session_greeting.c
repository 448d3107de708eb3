/* HELLO and WELCOME: where the two ends agree on what each of them has.
 *
 * An agent that says the SESSION we know goes on in it. One that says another, or none, begins its numbering anew
 * when WELCOME names one. If it never sent or confirmed a frame in ours, it has simply not got our WELCOME: then the
 * name stays and what we kept (START, for one) is sent from the first frame on. Otherwise the numbering begins anew
 * here too, and the streams of the old one are over.
 */
#include "agent/agent_metrics.h"
#include "agent/session_internal.h"
#include "base/alloc.h"
#include "base/log.h"

/* -- HELLO */

static bool read_text(struct skl_str payload, enum skl_tag tag, size_t max, char *out)
{
    struct skl_str text;

    out[0] = '\0';
    if (!skl_tlv_find(payload, tag, &text))
        return true;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    if (text.n > max)
        return false;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool read_num(struct skl_str payload, enum skl_tag tag, uint64_t max, uint64_t *ret)
{
    *ret = skl_tlv_find_num(payload, tag, 0);
    return *ret <= max;
}

static bool read_main(struct skl_str p, struct skl_session_hello *h)
{
    uint64_t state, run, pid, code, signo, finished;

    if (!read_num(p, SKL_TAG_STATE, SKL_MAIN_ENDED, &state) ||
        !read_num(p, SKL_TAG_RUN, UINT32_MAX, &run) || !read_num(p, SKL_TAG_PID, INT32_MAX, &pid) ||
        !read_num(p, SKL_TAG_CODE, 255, &code) || !read_num(p, SKL_TAG_SIGNAL_NO, 127, &signo) ||
        !read_num(p, SKL_TAG_FINISHED_NS, INT64_MAX, &finished) ||
        !read_num(p, SKL_TAG_OFFSET, INT64_MAX, &h->produced) ||
        !read_num(p, SKL_TAG_OLDEST, h->produced, &h->oldest))
        return false;
    if (state != SKL_MAIN_WAITING && run == 0)
        return false;
    h->state = (enum skl_main_state)state;
    h->run = (unsigned)run;
    h->pid = (int)pid;
    if (h->state == SKL_MAIN_ENDED)
        h->exit = (struct skl_exit){.run = h->run,
                                    .code = (int)code,
                                    .signal = (int)signo,
                                    .oom = skl_tlv_find_num(p, SKL_TAG_OOM, 0) != 0,
                                    .finished_ns = (int64_t)finished};
    return true;
}

int session_hello_read(const struct skl_frame *f, const char *container_id, struct agent_hello *ret,
                       struct skl_error *err)
{
    const char *wrong = session_check_records(f);
    char id[SKL_ID_LEN + 1];

    memset(ret, 0, sizeof(*ret));
    if (f->type != SKL_FRAME_HELLO || f->stream != SKL_STREAM_CONTROL)
        return skl_fail(err, SKL_E_PROTOCOL, "%s before HELLO", skl_frame_name(f->type));
    if (wrong)
        return skl_fail(err, SKL_E_PROTOCOL, "HELLO has %s", wrong);
    if (skl_tlv_find_num(f->payload, SKL_TAG_VERSION, 0) != SKL_WIRE_VERSION)
        return skl_fail(err, SKL_E_PROTOCOL, "HELLO is of another version of the protocol");
    if (!read_text(f->payload, SKL_TAG_CONTAINER_ID, SKL_ID_LEN, id) ||
        !skl_streq(id, container_id))
        return skl_fail(err, SKL_E_PROTOCOL, "HELLO names another container");
    if (!read_text(f->payload, SKL_TAG_INSTANCE, AGENT_INSTANCE_MAX, ret->instance) ||
        !ret->instance[0] ||
        !read_text(f->payload, SKL_TAG_SESSION, AGENT_INSTANCE_MAX, ret->session) ||
        !read_main(f->payload, &ret->main))
        return skl_fail(err, SKL_E_PROTOCOL, "HELLO has values that cannot be");
    ret->received = skl_tlv_find_num(f->payload, SKL_TAG_RECEIVED, 0);
    ret->main.instance = ret->instance;
    return 0;
}

/* -- WELCOME */

static void send_welcome(struct skl_session *s, uint64_t resume, bool exit_known)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_KIB);
    skl_tlv_u64(&b, SKL_TAG_VERSION, SKL_WIRE_VERSION);
    skl_tlv_strz(&b, SKL_TAG_SESSION, s->name);
    skl_tlv_u64(&b, SKL_TAG_RECEIVED, skl_link_received(s->link));
    skl_tlv_u64(&b, SKL_TAG_OFFSET, resume);
    skl_tlv_u64(&b, SKL_TAG_EXIT_KNOWN, exit_known);
    skl_link_send_now(s->link, SKL_FRAME_WELCOME, SKL_STREAM_CONTROL, skl_str_n("", 0),
                      skl_buf_str(&b));
}

/* The owner's word: whether it wants this agent, and from where it misses output. */
static bool ask_owner(struct skl_session *s, const struct agent_hello *hello, uint64_t *resume,
                      bool *exit_known)
{
    if (!s->events->on_hello(s->owner, s, &hello->main, resume, exit_known))
        return false;
    s->is_known = true;
    if (*resume > hello->main.produced) {
        agent_log_broken(s->entry, "HELLO takes back output that was stored");
        return false;
    }
    if (*resume < hello->main.oldest) {
        skl_warn("agent", "an agent no longer has output that was not stored", "container",
                 s->entry->id, NULL);
        *resume = hello->main.oldest;
    }
    return true;
}

void session_greet(struct skl_session *s, struct skl_ws *own_ws, const struct agent_hello *hello)
{
    bool named = s->name[0] && skl_streq(s->name, hello->session);
    bool unheard = s->name[0] && !named && skl_link_received(s->link) == 0;
    uint64_t peer_received = named ? hello->received : 0, resume = 0;
    bool goes_on, exit_known = false;
    struct skl_error err;
    int rc;

    skl_link_disconnect(s->link); /* a connection that we did not yet know to be lost: on_down */
    if (!s->closed && !ask_owner(s, hello, &resume, &exit_known) && !s->closed) {
        skl_ws_close(own_ws, AGENT_CLOSE_REFUSED);
        skl_session_close(s);
        return;
    }
    if (s->closed) {
        skl_ws_close(own_ws, AGENT_CLOSE_UNKNOWN);
        return;
    }
    goes_on = (named || unheard) && skl_link_can_resume(s->link, peer_received);
    session_main_greeting(s, hello, resume, exit_known, goes_on);
    if (!goes_on) {
        skl_random_hex(s->name, 32);
        skl_link_reset(s->link);
        session_lose_streams(s);
        if (s->closed) {
            skl_ws_close(own_ws, AGENT_CLOSE_UNKNOWN);
            return;
        }
    }
    skl_link_attach(s->link, own_ws);
    send_welcome(s, resume, exit_known);
    rc = skl_link_resume(s->link, goes_on ? peer_received : 0, &err);
    SKL_ASSERT(rc == 0); /* looked at above */
    agent_dial_answered(s->entry);
    skl_metric_add(&skl_agent_greeted, 1);
    if (!s->closed)
        s->events->on_up(s->owner, s);
    if (!s->closed)
        session_main_greeted(s, hello, exit_known, !goes_on || !named);
}
