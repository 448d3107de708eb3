/* One sentence from what Google answers: google.rpc.Status in "error", an OAuth error (two strings), or a page of HTML
 * from the front end. The canonical code is what to decide on; where an answer has none it follows from the HTTP
 * status. */
#include <stdio.h>

#include "base/json_read.h"
#include "cloud/error_text.h"
#include "cloud/gcp/client_internal.h"

#define MAX_MESSAGE 400
#define MAX_DETAIL  160
#define MAX_PAGE    120

/* By number, as operations tell it; http: the status that a call has. */
static const struct {
    const char *name;
    int http;
    enum skl_kind kind;
} codes[] = {
    {"OK", 0, SKL_E_INTERNAL},
    {"CANCELLED", 499, SKL_E_UNAVAILABLE},
    {"UNKNOWN", 0, SKL_E_UNAVAILABLE},
    {"INVALID_ARGUMENT", 400, SKL_E_INVALID},
    {"DEADLINE_EXCEEDED", 504, SKL_E_UNAVAILABLE},
    {"NOT_FOUND", 404, SKL_E_NOTFOUND},
    {"ALREADY_EXISTS", 409, SKL_E_CONFLICT},
    {"PERMISSION_DENIED", 403, SKL_E_FORBIDDEN},
    {"RESOURCE_EXHAUSTED", 429, SKL_E_THROTTLED},
    {"FAILED_PRECONDITION", 412, SKL_E_INVALID},
    {"ABORTED", 0, SKL_E_CONFLICT},
    {"OUT_OF_RANGE", 0, SKL_E_INVALID},
    {"UNIMPLEMENTED", 501, SKL_E_UNSUPPORTED},
    {"INTERNAL", 500, SKL_E_UNAVAILABLE},
    {"UNAVAILABLE", 503, SKL_E_UNAVAILABLE},
    {"DATA_LOSS", 0, SKL_E_UNAVAILABLE},
    {"UNAUTHENTICATED", 401, SKL_E_FORBIDDEN},
};

static enum skl_kind kind_of(int status)
{
    if (status == 409 || status == 412)
        return SKL_E_CONFLICT;
    if (status == 408 || status == 410)
        return status == 408 ? SKL_E_UNAVAILABLE : SKL_E_NOTFOUND;
    for (size_t i = 1; i < SKL_ARRAY_LEN(codes); i++)
        if (status && codes[i].http == status)
            return codes[i].kind;
    return status >= 500 ? SKL_E_UNAVAILABLE : SKL_E_INTERNAL;
}

/* Index of a canonical code; 0: unknown. */
static size_t find_code(const char *name, int64_t number, int status)
{
    for (size_t i = 1; i < SKL_ARRAY_LEN(codes); i++)
        if (name ? skl_streq(codes[i].name, name) : number == (int64_t)i)
            return i;
    for (size_t i = 1; !name && status != 412 && i < SKL_ARRAY_LEN(codes); i++)
        if (status && codes[i].http == status)
            return i;
    return 0;
}

static const cJSON *detail(const cJSON *status, const char *type)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(status, "details"))
    {
        const char *name = skl_json_get_str(item, "@type");

        if (name && skl_str_ends(skl_str(name), type))
            return item;
    }
    return NULL;
}

/* What a general message leaves out: which field is wrong. */
static void add_violation(struct skl_buf *b, const cJSON *status)
{
    const cJSON *list = skl_json_get(detail(status, "google.rpc.BadRequest"), "fieldViolations");
    const cJSON *first = cJSON_GetArrayItem(list, 0);
    const char *field = skl_json_get_str(first, "field");
    const char *text = skl_json_get_str(first, "description");

    if (skl_str_empty(text))
        return;
    skl_buf_adds(b, " (");
    if (!skl_str_empty(field)) {
        skl_error_text_add(b, skl_str(field), MAX_DETAIL);
        skl_buf_adds(b, ": ");
    }
    skl_error_text_add(b, skl_str(text), MAX_DETAIL);
    skl_buf_addc(b, ')');
}

static void copy_word(char *out, size_t cap, const char *word)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (!out)
        return;
    skl_buf_init(&b, 1024);
    skl_error_text_add(&b, skl_str(word), cap - 1);
    (void)snprintf(out, cap, "%s", b.p);
}

static int fail_status(struct skl_error *err, int http, const cJSON *status, const char *what,
                       char code[32], char reason[64])
{
    const char *name = skl_json_get_str(status, "status");
    const char *message = skl_json_get_str(status, "message");
    size_t i = find_code(name, http ? 0 : skl_json_get_int(status, "code", 0), http);
    enum skl_kind kind = i ? codes[i].kind : kind_of(http);
    SKL_AUTO_BUF struct skl_buf text = {0};

    if (http == 412)
        kind = SKL_E_CONFLICT; /* a generation that does not match */
    if (message && strstr(message, "Quota exceeded") && kind != SKL_E_THROTTLED)
        kind = SKL_E_UNAVAILABLE;
    copy_word(code, 32, i ? codes[i].name : name ? name : "");
    copy_word(reason, 64, skl_json_get_str(detail(status, "google.rpc.ErrorInfo"), "reason"));
    skl_buf_init(&text, 2048);
    if (i)
        skl_buf_adds(&text, codes[i].name);
    else if (http)
        skl_buf_addf(&text, "HTTP %d", http);
    else
        skl_buf_adds(&text, "failed");
    if (!skl_str_empty(message)) {
        skl_buf_adds(&text, ": ");
        skl_error_text_add(&text, skl_str(message), MAX_MESSAGE);
    }
    add_violation(&text, status);
    return skl_fail(err, kind, "%s: %s", what, text.p);
}

int skl_gcp_fail_status(struct skl_error *err, const cJSON *status, const char *what, char code[32],
                        char reason[64])
{
    return fail_status(err, 0, status, what, code, reason);
}

/* The title of a page, else its beginning without tags. */
static void add_page(struct skl_buf *b, struct skl_str body)
{
    SKL_AUTO_BUF struct skl_buf plain = {0};
    bool in_tag = false;

    skl_buf_init(&plain, 1024);
    for (size_t i = 0; i + 7 <= body.n; i++) {
        if (skl_str_istarts(skl_str_skip(body, i), "<title>")) {
            body = skl_str_skip(body, i + 7);
            body = skl_str_cut(body, '<', &(struct skl_str){NULL, 0});
            break;
        }
    }
    for (size_t i = 0; i < body.n && plain.n < MAX_PAGE; i++) {
        if (body.p[i] == '<')
            in_tag = true;
        if (!in_tag)
            skl_buf_addc(&plain, body.p[i]);
        if (body.p[i] == '>' && in_tag)
            in_tag = false;
    }
    if (skl_str_trim(skl_buf_str(&plain)).n > 0)
        skl_buf_adds(b, ": ");
    skl_error_text_add(b, skl_buf_str(&plain), MAX_PAGE);
}

int skl_gcp_fail(struct skl_error *err, int status, struct skl_str body, const char *what,
                 char code[32], char reason[64])
{
    SKL_AUTO_JSON cJSON *json = NULL;
    SKL_AUTO_BUF struct skl_buf text = {0};
    const cJSON *error = NULL;
    size_t i;

    if (body.n > 0 && skl_json_parse(body, &json, NULL) == 0) {
        error = skl_json_get(cJSON_IsArray(json) ? cJSON_GetArrayItem(json, 0) : json, "error");
        if (cJSON_IsObject(error))
            return fail_status(err, status, error, what, code, reason);
    }
    i = find_code(NULL, 0, status);
    copy_word(code, 32, i ? codes[i].name : "");
    copy_word(reason, 64, "");
    skl_buf_init(&text, 2048);
    skl_buf_addf(&text, "HTTP %d", status);
    if (error && cJSON_IsString(error)) {
        const char *more = skl_json_get_str(json, "error_description");

        skl_buf_adds(&text, ": ");
        skl_error_text_add(&text, skl_str(more ? more : error->valuestring), MAX_MESSAGE);
    } else {
        add_page(&text, body);
    }
    return skl_fail(err, kind_of(status), "%s: %s", what, text.p);
}

int64_t skl_gcp_duration_ms(const char *text)
{
    struct skl_str fraction = {NULL, 0}, whole;
    uint64_t s, ms = 0;

    if (!text || !skl_str_ends(skl_str(text), "s"))
        return -1;
    whole = skl_str_cut(skl_str_n(text, strlen(text) - 1), '.', &fraction);
    if (!skl_str_u64(whole, &s) || s > 86400)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        char digit = i < fraction.n ? fraction.p[i] : '0';

        if (digit < '0' || digit > '9')
            return -1;
        ms = ms * 10 + (uint64_t)(digit - '0');
    }
    return (int64_t)(s * 1000 + ms);
}

int64_t skl_gcp_retry_delay(struct skl_str body)
{
    SKL_AUTO_JSON cJSON *json = NULL;

    if (skl_str_find(body, '{') == NULL || skl_json_parse(body, &json, NULL) < 0)
        return -1;
    return skl_gcp_duration_ms(skl_json_get_str(
        detail(skl_json_get(json, "error"), "google.rpc.RetryInfo"), "retryDelay"));
}
