/* Cloud Logging: v2/entries:list and v2/entries:write. Entries of containers become JSON when they are asked for; what a
 * filter's lower time bound excludes never does. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "filter.h"
#include "sim.h"

#define MAX_FILTER 20000
#define MAX_PAGE   1000
#define PAGE       50
#define MINUTE_MS  60000

/* -- an entry as JSON */

/* As the writer of JSON would write it: NUL and bytes that are no UTF-8 replaced. */
static cJSON *clean_text(const struct log_entry *e)
{
    SKL_AUTO_BUF struct skl_buf plain = {0}, quoted = {0};
    cJSON *json;

    skl_buf_init(&plain, SKL_MIB);
    skl_buf_init(&quoted, 8 * SKL_MIB);
    for (size_t i = 0; i < e->n; i++)
        if (e->text[i])
            skl_buf_addc(&plain, e->text[i]);
        else
            skl_buf_adds(&plain, "\xef\xbf\xbd");
    skl_json_quote(&quoted, skl_buf_str(&plain), false);
    json = cJSON_Parse(quoted.p);
    return json ? json : cJSON_CreateString("");
}

/* A line that is a JSON object is taken apart: severity and time are the entry's, the rest is its payload. */
static bool add_json_payload(cJSON *json, const struct log_entry *e)
{
    struct skl_str line = skl_str_trim(skl_str_n(e->text, e->n));
    cJSON *payload = NULL, *severity;

    if (line.n < 2 || line.p[0] != '{' || skl_json_parse(line, &payload, NULL) < 0)
        return false;
    severity = cJSON_DetachItemFromObjectCaseSensitive(payload, "severity");
    if (cJSON_IsString(severity))
        cJSON_AddStringToObject(json, "severity", severity->valuestring);
    cJSON_Delete(severity);
    cJSON_DeleteItemFromObjectCaseSensitive(payload, "timestamp");
    cJSON_AddItemToObject(json, "jsonPayload", payload);
    return true;
}

static void add_labels(cJSON *json, const struct log_entry *e)
{
    const cJSON *user = skl_json_get(e->revision->template, "labels");
    cJSON *labels = user ? cJSON_Duplicate(user, true) : cJSON_CreateObject();

    if (!skl_str_empty(e->instance))
        cJSON_AddStringToObject(labels, "instanceId", e->instance);
    cJSON_AddItemToObject(json, "labels", labels);
}

static void add_resource(cJSON *json, const struct revision *r)
{
    cJSON *resource = cJSON_AddObjectToObject(json, "resource");
    cJSON *labels;

    cJSON_AddStringToObject(resource, "type", "cloud_run_revision");
    labels = cJSON_AddObjectToObject(resource, "labels");
    cJSON_AddStringToObject(labels, "project_id", r->service->project);
    cJSON_AddStringToObject(labels, "location", r->service->region);
    cJSON_AddStringToObject(labels, "service_name", r->service->id);
    cJSON_AddStringToObject(labels, "revision_name", r->name);
    cJSON_AddStringToObject(labels, "configuration_name", r->service->id);
}

static cJSON *entry_json(const struct sim *s, const struct log_entry *e)
{
    cJSON *json = e->json ? cJSON_Duplicate(e->json, true) : cJSON_CreateObject();
    char when[SKL_TIME_LEN];
    char *log SKL_AUTO_STR = NULL;

    cJSON_AddStringToObject(json, "insertId", e->insert_id);
    cJSON_AddStringToObject(json, "timestamp", skl_time_format(e->time_ns, when));
    cJSON_AddStringToObject(json, "receiveTimestamp", skl_time_format(e->visible_ns, when));
    if (!e->revision)
        return json;
    log = gcp_format("projects/%s/logs/run.googleapis.com%%2F%s", s->options->project, e->log);
    cJSON_AddStringToObject(json, "logName", log);
    add_resource(json, e->revision);
    add_labels(json, e);
    if (e->text && !add_json_payload(json, e))
        cJSON_AddItemToObject(json, "textPayload", clean_text(e));
    return json;
}

/* -- list */

struct position {
    bool is_start;
    int64_t time_ns;
    char insert_id[40];
};

struct query {
    struct gcp_filter *filter;
    bool descending;
    int64_t page;
    uint64_t hash; /* of all that must stay the same while paging */
    struct position from;
    bool has_from;
};

static int by_time(const void *a, const void *b)
{
    const struct log_entry *x = *(const struct log_entry *const *)a;
    const struct log_entry *y = *(const struct log_entry *const *)b;

    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return strcmp(x->insert_id, y->insert_id);
}

static int by_time_down(const void *a, const void *b)
{
    return by_time(b, a);
}

static bool is_behind(const struct query *q, const struct log_entry *e)
{
    int n;

    if (!q->has_from || q->from.is_start)
        return true;
    n = e->time_ns != q->from.time_ns ? (e->time_ns < q->from.time_ns ? -1 : 1)
                                      : strcmp(e->insert_id, q->from.insert_id);
    return q->descending ? n < 0 : n > 0;
}

static char *make_token(const struct query *q, const struct log_entry *last)
{
    char *text SKL_AUTO_STR = last ? gcp_format("%llx %lld %s", (unsigned long long)q->hash,
                                                (long long)last->time_ns, last->insert_id)
                              : q->has_from && !q->from.is_start
                                  ? gcp_format("%llx %lld %s", (unsigned long long)q->hash,
                                               (long long)q->from.time_ns, q->from.insert_id)
                                  : gcp_format("%llx start", (unsigned long long)q->hash);
    struct skl_buf b;

    skl_buf_init(&b, 4 * SKL_KIB);
    skl_base64url_add(&b, text, strlen(text));
    return skl_buf_detach(&b);
}

static bool read_token(struct query *q, const char *token)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_str time, id, hash;
    char *end;

    skl_buf_init(&b, 4 * SKL_KIB);
    if (!skl_base64_decode(&b, skl_str(token)))
        return false;
    hash = skl_str_cut(skl_buf_str(&b), ' ', &time);
    (void)hash;
    if (strtoull(b.p, &end, 16) != q->hash || *end != ' ' || !time.p)
        return false;
    q->has_from = true;
    time = skl_str_cut(time, ' ', &id);
    if (skl_str_eqz(time, "start")) {
        q->from.is_start = true;
        return true;
    }
    if (!id.p || id.n >= sizeof(q->from.insert_id) || !skl_str_i64(time, &q->from.time_ns))
        return false;
    snprintf(q->from.insert_id, sizeof(q->from.insert_id), SKL_STR_FMT, SKL_STR_ARG(id));
    return true;
}

static bool check_resources(const struct sim *s, const cJSON *body, struct sim_answer *a)
{
    char *name SKL_AUTO_STR = gcp_format("projects/%s", s->options->project);
    const cJSON *list = skl_json_get(body, "resourceNames");
    const cJSON *item;

    if (cJSON_GetArraySize(list) < 1) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "resource_names must have at least one entry.");
        return false;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (!skl_str_starts(skl_str(item->valuestring), name)) {
            gcp_error(a, GCP_PERMISSION_DENIED, "Permission denied for all log views");
            return false;
        }
    }
    return true;
}

static bool read_query(const cJSON *body, struct query *q, struct sim_answer *a)
{
    const char *filter = skl_json_get_str(body, "filter");
    const char *order = skl_json_get_str(body, "orderBy");
    const char *token = skl_json_get_str(body, "pageToken");
    char *same SKL_AUTO_STR = gcp_format("%s\n%s", filter ? filter : "", order ? order : "");
    struct skl_error err;

    q->page = skl_json_get_int(body, "pageSize", 0);
    q->page = q->page == 0 ? PAGE : q->page > MAX_PAGE ? MAX_PAGE : q->page;
    q->hash = skl_hash(skl_str(same));
    if (q->page < 0)
        gcp_error(a, GCP_INVALID_ARGUMENT, "page_size must not be negative.");
    else if (filter && strlen(filter) > MAX_FILTER)
        gcp_error(a, GCP_INVALID_ARGUMENT, "The filter is longer than 20000 characters.");
    else if (!skl_str_empty(order) && strcmp(order, "timestamp asc") != 0 &&
             strcmp(order, "timestamp desc") != 0)
        gcp_error(a, GCP_INVALID_ARGUMENT, "order_by must be 'timestamp asc' or 'timestamp desc'.");
    else if (!skl_str_empty(token) && !read_token(q, token))
        gcp_error(a, GCP_INVALID_ARGUMENT, "page_token doesn't match arguments from the request.");
    else if (gcp_filter_parse(filter, &q->filter, &err) < 0)
        gcp_error(a, GCP_INVALID_ARGUMENT, "%s", err.msg);
    else {
        q->descending = skl_streq(order, "timestamp desc");
        return true;
    }
    return false;
}

static bool take_quota(struct sim *s, struct sim_answer *a)
{
    int64_t now = gcp_now_ms();
    int64_t limit = s->options->read_quota;
    int64_t *slot;

    if (limit == 0)
        return true;
    if (!s->reads)
        s->reads = skl_new0_n(int64_t, (size_t)limit);
    slot = &s->reads[s->n_reads % (size_t)limit]; /* the oldest of the last `limit` calls */
    if (*slot != 0 && now - *slot < MINUTE_MS) {
        gcp_error(a, GCP_RESOURCE_EXHAUSTED,
                  "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per "
                  "minute' of service 'logging.googleapis.com' for consumer 'project_number:%lld'.",
                  (long long)s->options->project_number);
        return false;
    }
    *slot = now;
    s->n_reads++;
    return true;
}

static void answer_page(struct sim *s, const struct query *q, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    const struct log_entry **all = skl_new0_n(const struct log_entry *, s->n_entries + 1);
    int64_t now = skl_wall_ns(), since = gcp_filter_since_ns(q->filter), count = 0;
    cJSON *items = cJSON_CreateArray();
    size_t n = 0;

    for (size_t i = 0; i < s->n_entries; i++)
        if (s->entries[i].visible_ns <= now && s->entries[i].time_ns >= since &&
            is_behind(q, &s->entries[i]))
            all[n++] = &s->entries[i];
    qsort(all, n, sizeof(*all), q->descending ? by_time_down : by_time);
    for (size_t i = 0; i < n; i++) {
        cJSON *item = entry_json(s, all[i]);

        if (!gcp_filter_matches(q->filter, item)) {
            cJSON_Delete(item);
            continue;
        }
        cJSON_AddItemToArray(items, item);
        if (++count == q->page) {
            char *token SKL_AUTO_STR = i + 1 < n ? make_token(q, all[i]) : NULL;

            if (token)
                cJSON_AddStringToObject(json, "nextPageToken", token);
            break;
        }
    }
    free(all);
    if (count > 0)
        cJSON_AddItemToObject(json, "entries", items);
    else
        cJSON_Delete(items);
    sim_json(a, 200, json);
}

static void list(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = gcp_request(s, r, "logging", "ListLogEntriesRequest", a);
    struct query q = {0};

    if (!body || !check_resources(s, body, a) || !take_quota(s, a) || !read_query(body, &q, a))
        return;
    if (skl_streq(s->fault_word, "empty")) { /* the search goes on */
        char *token SKL_AUTO_STR = make_token(&q, NULL);
        char *text SKL_AUTO_STR = gcp_format("{\"nextPageToken\":\"%s\"}", token);

        sim_text(a, 200, text);
    } else {
        answer_page(s, &q, a);
    }
    gcp_filter_free(q.filter);
}

/* -- write */

static const char *either(const cJSON *entry, const cJSON *body, const char *name)
{
    const char *own = skl_json_get_str(entry, name);

    return own ? own : skl_json_get_str(body, name);
}

static bool check_entry(const struct sim *s, const cJSON *entry, const cJSON *body,
                        struct sim_answer *a)
{
    char *prefix SKL_AUTO_STR = gcp_format("projects/%s/logs/", s->options->project);
    const char *name = either(entry, body, "logName");
    const cJSON *resource = skl_json_get(entry, "resource");

    if (!resource)
        resource = skl_json_get(body, "resource");
    if (!name || !skl_str_starts(skl_str(name), prefix) || strchr(name + strlen(prefix), '/')) {
        gcp_error(a, GCP_INVALID_ARGUMENT,
                  "Name \"%s\" is missing the parent component. Expected "
                  "the form projects/[PROJECT_ID]/logs/[ID]",
                  name ? name : "");
        return false;
    }
    if (!skl_json_get_str(resource, "type")) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "Every entry needs a resource with a type.");
        return false;
    }
    return true;
}

static void move_if_absent(cJSON *json, const cJSON *body, const char *name)
{
    const cJSON *item = skl_json_get(body, name);

    if (item && !skl_json_get(json, name))
        cJSON_AddItemToObject(json, name, cJSON_Duplicate(item, true));
}

static void store(struct sim *s, const cJSON *entry, const cJSON *body)
{
    struct log_entry *e = gcp_log_new(s);
    const char *time = skl_json_get_str(entry, "timestamp");
    const char *id = skl_json_get_str(entry, "insertId");

    if (!e)
        return;
    if (time)
        (void)skl_time_parse(skl_str(time), &e->time_ns); /* checked with the body */
    if (!skl_str_empty(id))
        snprintf(e->insert_id, sizeof(e->insert_id), "%s", id);
    e->json = cJSON_Duplicate(entry, true);
    cJSON_DeleteItemFromObjectCaseSensitive(e->json, "insertId");
    cJSON_DeleteItemFromObjectCaseSensitive(e->json, "timestamp");
    cJSON_DeleteItemFromObjectCaseSensitive(e->json, "receiveTimestamp");
    move_if_absent(e->json, body, "logName");
    move_if_absent(e->json, body, "resource");
    move_if_absent(e->json, body, "labels");
}

static void write_entries(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = gcp_request(s, r, "logging", "WriteLogEntriesRequest", a);
    const cJSON *entries = skl_json_get(body, "entries");
    const cJSON *entry;

    if (!body)
        return;
    if (cJSON_GetArraySize(entries) < 1) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "entries must not be empty.");
        return;
    }
    cJSON_ArrayForEach(entry, entries)
    {
        if (!check_entry(s, entry, body, a))
            return;
    }
    if (!skl_json_get_bool(body, "dryRun", false))
        cJSON_ArrayForEach(entry, entries)
        {
            store(s, entry, body);
        }
    sim_text(a, 200, "{}");
}

void gcp_entries(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                 struct sim_answer *a)
{
    bool is_post = skl_streq(r->method, "POST");

    if (is_post && skl_streq(p->verb, "list"))
        list(s, r, a);
    else if (is_post && skl_streq(p->verb, "write"))
        write_entries(s, r, a);
    else
        gcp_unknown(r, a);
}
