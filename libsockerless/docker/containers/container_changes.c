/* GET /containers/{id}/changes: what the workload has added and modified in its root file system. The agent goes by the
 * times of files, there is no image beside it to compare with: what was deleted is not known and not shown. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "docker/api/routes.h"

#define MAX_CHANGES (16 * SKL_MIB) /* twice that as JSON */

struct changes {
    struct skl_request *r;
    struct skl_source *source;
    struct skl_buf records; /* kind, path, NUL, ... */
};

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static void render(struct skl_json *j, char **records, size_t n)
{
    if (n == 0) {
        skl_json_null(j, NULL);
        return;
    }
    qsort(records, n, sizeof(*records), by_path);
    skl_json_array(j, NULL);
    for (size_t i = 0; i < n; i++) {
        skl_json_object(j, NULL);
        skl_json_int(j, "Kind", records[i][0] == '1');
        skl_json_str(j, "Path", records[i] + 1);
        skl_json_end_object(j);
    }
    skl_json_end_array(j);
}

static char **split(const struct skl_buf *b, size_t *n)
{
    char **records = NULL;
    size_t room = 0;

    *n = 0;
    for (char *p = b->p; p < b->p + b->n && memchr(p, '\0', (size_t)(b->p + b->n - p));
         p += strlen(p) + 1) {
        if (*n == room) {
            room = room ? 2 * room : 64;
            records = skl_realloc(records, room, sizeof(*records));
        }
        if (*p)
            records[(*n)++] = p;
    }
    return records;
}

static void on_stat(void *arg, const struct skl_path_stat *st)
{
    /* Of the root; nobody asked. */
}

static void on_data(void *arg, struct skl_str data)
{
    struct changes *x = arg;

    skl_buf_addstr(&x->records, data);
    skl_source_consumed(x->source, data.n);
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct changes *x = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;
    char **records;
    size_t n;

    x->source = NULL;
    if (err) {
        skl_request_error(x->r, err);
        return;
    }
    if (x->records.failed) {
        skl_request_fail(x->r, SKL_E_TOOBIG, "there are too many changes to list");
        return;
    }
    records = split(&x->records, &n);
    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_json_init(&j, &b);
    render(&j, records, n);
    free(records);
    skl_request_json(x->r, 200, &b);
}

static void gone(struct skl_request *r)
{
    struct changes *x = r->state;

    if (x->source)
        skl_source_cancel(x->source);
    x->source = NULL;
}

static void changes_free(struct skl_request *r)
{
    struct changes *x = r->state;

    gone(r);
    skl_buf_fini(&x->records);
    free(x);
}

void skl_route_container_changes(struct skl_request *r)
{
    static const struct skl_get_events events = {on_stat, on_data, on_end};
    struct skl_container *c = skl_request_container(r);
    SKL_AUTO_BUF struct skl_buf none = {0};
    struct skl_error err;
    struct changes *x;

    if (!c)
        return;
    if (!c->has_run) {
        skl_buf_init(&none, 16);
        skl_buf_adds(&none, "null");
        skl_request_json(r, 200, &none);
        return;
    }
    x = skl_new0(struct changes);
    x->r = r;
    skl_buf_init(&x->records, MAX_CHANGES);
    r->state = x;
    r->on_gone = gone;
    r->on_free = changes_free;
    if (skl_driver_view(skl_workload_of(r->engine->runtime, c), SKL_VIEW_CHANGES, &events, x,
                        &x->source, &err) < 0)
        skl_request_error(r, &err);
}
