/* What Google answers and what users' credentials files hold: errors, operations, services, tokens, log entries, cursors.
 * Messages are one printable line, a quoted value reads as itself, and no URL leaves the endpoint that was set. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/client_internal.h"
#include "cloud/gcp/logging_internal.h"
#include "cloud/gcp/run.h"
#include "cloud/gcp/source.h"
#include "cloud/log_cursor.h"

#define ENDPOINT "http://127.0.0.1:4567"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void check_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            abort();
}

static void check_errors(struct skl_str body, const cJSON *json)
{
    static const int statuses[] = {400, 401, 404, 409, 412, 429, 503};
    struct skl_error err;
    char code[32], reason[64];

    for (size_t i = 0; i < SKL_ARRAY_LEN(statuses); i++) {
        if (skl_gcp_fail(&err, statuses[i], body, "fuzz", code, reason) != -(int)err.kind ||
            err.kind == SKL_E_OK)
            abort();
        check_line(err.msg);
        check_line(code);
        check_line(reason);
    }
    if (skl_gcp_fail_status(&err, json, "fuzz", code, reason) >= 0)
        abort();
    check_line(err.msg);
    if (skl_gcp_retry_delay(body) < -1 || skl_gcp_retry_delay(body) > 86401000)
        abort();
}

static void check_operation(const char *text, const cJSON *json)
{
    const char *names[] = {text, skl_json_get_str(json, "name")};

    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++) {
        char *path = skl_gcp_operation_path(SKL_GCP_RUN, names[i]);

        if (path &&
            (strncmp(path, "/v2/", 4) != 0 || strpbrk(path, "?#%\\ ") || strstr(path, "..")))
            abort();
        free(path);
    }
    if (skl_gcp_duration_ms(text) < -1)
        abort();
}

static void check_service(const cJSON *json)
{
    struct skl_run_condition condition;
    struct skl_error err;

    skl_run_service_judge(json, &condition);
    check_line(condition.reason);
    check_line(condition.message);
    if (skl_run_fail(&err, &condition, "fuzz") >= 0)
        abort();
}

static void check_entry(const cJSON *json)
{
    struct skl_log_entry entry;

    if (!skl_log_entry_read(json, &entry))
        return;
    if (!entry.line || entry.known_ns > entry.time_ns)
        abort();
    free(entry.line);
}

static void check_called_url(const char *url)
{
    static const char host[] = ".googleapis.com/";
    const char *at = url ? strcasestr(url, "https://") : NULL;

    if (at == url && url && strstr(url, host) &&
        !memchr(url + 8, '/', (size_t)(strstr(url, host) - url) - 8))
        abort();
}

static void check_credentials(const cJSON *json)
{
    struct skl_gcp_source *source = NULL;
    struct skl_error err;

    if (skl_gcp_source_load(json, ENDPOINT, &source, &err) < 0)
        return;
    check_called_url(source->token_url);
    check_called_url(source->impersonation_url);
    if (source->impersonated && strpbrk(source->impersonated, "/:"))
        abort();
    skl_gcp_source_free(source);
}

static void check_token(struct skl_str text)
{
    struct skl_token token = {0};
    struct skl_error err;

    if (skl_gcp_id_token_read("fuzz", text, &token, &err) < 0)
        return;
    if (token.lifetime_ms <= 0 || !skl_token_is_sane(token.text))
        abort();
    skl_secret_free(token.text);
}

/* Reads a quoted value as the cloud does; it must end where the text ends. */
static void check_quote(struct skl_str s)
{
    SKL_AUTO_BUF struct skl_buf quoted = {0}, back = {0};
    size_t i = 1;

    skl_buf_init(&quoted, 2 * s.n + 16);
    skl_buf_init(&back, s.n + 16);
    skl_log_filter_quote(&quoted, s);
    if (quoted.failed || quoted.p[0] != '"')
        abort();
    for (; i < quoted.n && quoted.p[i] != '"'; i++) {
        if (quoted.p[i] == '\\')
            i++;
        skl_buf_addc(&back, quoted.p[i]);
    }
    if (i + 1 != quoted.n || !skl_str_eq(skl_buf_str(&back), s))
        abort();
}

static void check_cursor(const char *text)
{
    struct skl_log_cursor cursor;
    char *once, *twice;

    skl_log_cursor_load(&cursor, text);
    once = skl_log_cursor_save(&cursor, 0);
    skl_log_cursor_fini(&cursor);
    skl_log_cursor_load(&cursor, once);
    twice = skl_log_cursor_save(&cursor, 0);
    skl_log_cursor_fini(&cursor);
    if (!skl_streq(once, twice))
        abort();
    free(once);
    free(twice);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    struct skl_str body = skl_str_n((const char *)data, n);
    char *text = skl_strndup((const char *)data, n);
    cJSON *json = NULL;

    (void)skl_json_parse(body, &json, NULL);
    check_errors(body, json);
    check_operation(text, json);
    check_service(json);
    check_entry(json);
    check_credentials(json);
    check_token(body);
    check_quote(body);
    check_cursor(text);
    cJSON_Delete(json);
    free(text);
    return 0;
}
