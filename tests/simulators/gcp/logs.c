/* Log entries as they come: what containers print, what the platform says, one per request, and what clients write. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_ENTRIES 400000

struct log_entry *gcp_log_new(struct sim *s)
{
    struct log_entry *e;

    if (s->n_entries >= MAX_ENTRIES)
        return NULL; /* a bucket with a quota */
    if ((s->n_entries & (s->n_entries - 1)) == 0)
        s->entries = skl_realloc(s->entries, s->n_entries ? 2 * s->n_entries : 1, sizeof(*e));
    e = &s->entries[s->n_entries++];
    *e = (struct log_entry){.time_ns = skl_wall_ns()};
    if (e->time_ns <= s->last_entry_ns)
        e->time_ns = s->last_entry_ns + 1; /* the order of a stream is that of its times */
    s->last_entry_ns = e->time_ns;
    e->visible_ns = e->time_ns + s->options->ingestion_delay_s * SKL_NS_PER_S;
    skl_random_hex(e->insert_id, 20);
    return e;
}

void gcp_log(struct sim *s, const struct revision *r, const char *instance, const char *log,
             const char *text, size_t n)
{
    struct log_entry *e = gcp_log_new(s);

    if (!e)
        return;
    e->revision = r;
    e->instance = skl_strdup(instance);
    e->log = log;
    e->text = skl_memdup(text, n);
    e->n = n;
}

void gcp_log_request(struct sim *s, const struct revision *v, const char *instance,
                     const struct sim_request *r, int status, int64_t took_ms)
{
    struct log_entry *e = gcp_log_new(s);
    cJSON *http;
    char text[40];

    if (!e)
        return;
    e->revision = v;
    e->instance = skl_strdup(instance);
    e->log = "requests";
    e->json = cJSON_CreateObject();
    http = cJSON_AddObjectToObject(e->json, "httpRequest");
    cJSON_AddStringToObject(http, "requestMethod", r->method);
    cJSON_AddStringToObject(http, "requestUrl", r->path);
    cJSON_AddNumberToObject(http, "status", status);
    snprintf(text, sizeof(text), "%lld.%03llds", (long long)(took_ms / 1000),
             (long long)(took_ms % 1000));
    cJSON_AddStringToObject(http, "latency", text);
}
