/* One entry of Cloud Logging as a line of output. A line that is a JSON object was taken apart on its way in: it is
 * printed as its message if nothing else is left, and written anew otherwise. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "cloud/gcp/logging_internal.h"
#include "cloud/log_cursor.h"

/* Owned. */
static char *line_of(const cJSON *json)
{
    const char *text = skl_json_get_str(json, "textPayload");
    const cJSON *payload = skl_json_get(json, "jsonPayload");
    const cJSON *only = cJSON_GetArrayItem(payload, 0);
    struct skl_str line;

    if (!text && only && !only->next && skl_streq(only->string, "message") && cJSON_IsString(only))
        text = only->valuestring;
    if (!text && cJSON_IsObject(payload))
        return skl_json_text(payload);
    line = skl_str(text);
    if (line.n > 0 && line.p[line.n - 1] == '\n')
        line.n--; /* the line's own, should it have been kept */
    return skl_str_dup(line);
}

bool skl_log_entry_read(const cJSON *json, struct skl_log_entry *ret)
{
    const char *when = skl_json_get_str(json, "timestamp");
    const char *known = skl_json_get_str(json, "receiveTimestamp");
    const char *log = skl_json_get_str(json, "logName");
    const cJSON *labels = skl_json_get(skl_json_get(json, "resource"), "labels");

    *ret = (struct skl_log_entry){0};
    if (!when || !skl_time_parse(skl_str(when), &ret->time_ns))
        return false;
    if (!known || !skl_time_parse(skl_str(known), &ret->known_ns) || ret->known_ns > ret->time_ns)
        ret->known_ns = ret->time_ns;
    ret->hash = skl_log_hash(SKL_LOG_HASH_BEGIN, skl_json_get_str(json, "insertId"));
    ret->hash = skl_log_hash(skl_log_hash(ret->hash, when), log);
    ret->is_stderr = log && skl_str_ends(skl_str(log), "%2Fstderr");
    ret->service = skl_json_get_str(labels, "service_name");
    ret->line = line_of(json);
    return true;
}
