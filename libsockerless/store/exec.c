/* Execs. A record that ended stays for five minutes, because every client inspects after the stream has ended,
 * some of them late. What was running when the daemon ended has lost its streams: it is shown as neither
 * running nor with an exit code, because nobody knows one. */
#include "store/exec.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "store/store_internal.h"

struct skl_exec_full *skl_exec_full(struct skl_exec *x)
{
    return SKL_CONTAINER_OF(x, struct skl_exec_full, x);
}

struct skl_exec *skl_exec_new(void)
{
    struct skl_exec_full *full = skl_new0(struct skl_exec_full);

    skl_random_hex(full->x.id, SKL_ID_LEN);
    skl_list_init(&full->x.in_store);
    skl_list_init(&full->in_container);
    return &full->x;
}

void skl_exec_free(struct skl_exec *x)
{
    if (!x)
        return;
    skl_list_remove(&x->in_store);
    skl_list_remove(&skl_exec_full(x)->in_container);
    skl_strv_free(x->argv);
    skl_strv_free(x->env);
    free(x->cwd);
    free(x->user);
    free(x->detach_keys);
    free(skl_exec_full(x));
}

struct skl_exec *skl_exec_find(struct skl_store *s, const char *id)
{
    return skl_map_getz(&s->execs_by_id, id);
}

static int exec_write(struct skl_store *s, const struct skl_exec *x, struct skl_error *err)
{
    char *body SKL_AUTO_STR = NULL;
    int rc;

    if (x->is_probe)
        return 0; /* there are many of them, and none outlives the daemon */
    rc = skl_exec_encode(x, &body, err);
    return rc < 0 ? rc : skl_db_put(s->db, SKL_DB_EXEC, x->id, x->container_id, body, err);
}

static void exec_link(struct skl_store *s, struct skl_container *c, struct skl_exec *x)
{
    skl_list_push(&s->execs, &x->in_store);
    skl_list_push(&skl_container_full(c)->execs, &skl_exec_full(x)->in_container);
    skl_map_set(&s->execs_by_id, skl_str(x->id), x);
}

/* extra: name and value behind execID, or NULL. */
static void exec_event(struct skl_store *s, const struct skl_exec *x, const char *action,
                       const char *name, const char *value)
{
    struct skl_container *c = skl_container_by_id(s, x->container_id);
    SKL_AUTO_BUF struct skl_buf text = {0};
    const char *extra[] = {"execID", x->id, name, value, NULL};

    skl_buf_init(&text, 64 * 1024);
    skl_buf_adds(&text, action);
    if (!name) {
        skl_buf_addc(&text, ':');
        for (char *const *p = x->argv; p && *p; p++)
            skl_buf_addf(&text, " %s", *p);
    }
    if (c)
        skl_container_event(s, c, text.p, (char *const *)(uintptr_t)extra); /* read only */
}

int skl_exec_add(struct skl_store *s, struct skl_exec *own_x, struct skl_error *err)
{
    struct skl_exec *x = own_x;
    struct skl_container *c = skl_container_by_id(s, x->container_id);
    int rc;

    if (!c)
        rc = skl_fail(err, SKL_E_NOTFOUND, "No such container: %s", x->container_id);
    else
        rc = exec_write(s, x, err);
    if (rc < 0) {
        skl_exec_free(x);
        return rc;
    }
    exec_link(s, c, x);
    exec_event(s, x, "exec_create", NULL, NULL);
    return 0;
}

int skl_exec_started(struct skl_store *s, struct skl_exec *x, struct skl_error *err)
{
    struct skl_exec next = *x;
    int rc;

    if (x->started)
        return skl_fail(err, SKL_E_CONFLICT, "Error: Exec command %s has already run", x->id);
    SKL_ASSERT(!x->dropped);
    next.started = next.running = true;
    rc = exec_write(s, &next, err);
    if (rc < 0)
        return rc;
    x->started = x->running = true;
    exec_event(s, x, "exec_start", NULL, NULL);
    return 0;
}

/* The pid matters only as long as this daemon sees the process: it is not written. */
void skl_exec_set_pid(struct skl_store *s, struct skl_exec *x, int pid)
{
    x->pid = pid;
}

static void drop(struct skl_store *s, struct skl_exec *x)
{
    skl_map_remove(&s->execs_by_id, skl_str(x->id));
    skl_list_remove(&x->in_store);
    skl_list_remove(&skl_exec_full(x)->in_container);
    x->dropped = true;
    if (!x->live)
        skl_exec_free(x);
}

static void prune_timer(void *arg)
{
    struct skl_store *s = arg;

    s->prune = NULL;
    skl_execs_prune(s, skl_mono_ms());
}

static void prune_later(struct skl_store *s)
{
    if (!s->prune)
        s->prune = skl_timer_start(s->loop, SKL_EXEC_KEEP_MS, prune_timer, s);
}

int skl_exec_ended(struct skl_store *s, struct skl_exec *x, int code, struct skl_error *err)
{
    struct skl_exec next = *x;
    char text[16];
    int rc;

    if (x->ended_ns != 0)
        return 0; /* the first report counts */
    next.running = false;
    next.has_exit_code = true;
    next.exit_code = code;
    next.ended_ns = skl_wall_ns();
    SKL_ASSERT(!x->dropped);
    rc = exec_write(s, &next, err);
    if (rc < 0)
        return rc;
    x->running = false;
    x->has_exit_code = true;
    x->exit_code = code;
    x->pid = 0;
    x->ended_ns = next.ended_ns;
    skl_exec_full(x)->ended_ms = skl_mono_ms();
    snprintf(text, sizeof(text), "%d", code);
    exec_event(s, x, "exec_die", "exitCode", text);
    if (x->is_probe)
        drop(s, x);
    else
        prune_later(s);
    return 0;
}

char **skl_exec_running_ids(struct skl_store *s, const char *container_id)
{
    struct skl_container *c = skl_container_by_id(s, container_id);
    struct skl_list *it;
    char **ids = NULL;

    if (!c)
        return NULL;
    skl_list_foreach (it, &skl_container_full(c)->execs) {
        struct skl_exec_full *full = SKL_LIST_ENTRY(it, struct skl_exec_full, in_container);

        if (full->x.running)
            skl_strv_push(&ids, full->x.id);
    }
    return ids;
}

void skl_execs_prune(struct skl_store *s, int64_t now_ms)
{
    const int64_t before = now_ms - SKL_EXEC_KEEP_MS;
    struct skl_list *it, *tmp;
    bool more = false;

    skl_list_foreach_safe (it, tmp, &s->execs) {
        struct skl_exec *x = SKL_LIST_ENTRY(it, struct skl_exec, in_store);
        struct skl_error err;

        if (x->ended_ns == 0)
            continue;
        if (skl_exec_full(x)->ended_ms > before || x->live) {
            more = true;
            continue;
        }
        if (skl_db_delete(s->db, SKL_DB_EXEC, x->id, &err) < 0) {
            skl_warn("store", "old execs stay recorded", "error", err.msg, NULL);
            more = true;
            break;
        }
        drop(s, x);
    }
    if (more)
        prune_later(s);
}

/* The container's rows are gone, those of its execs with them. */
void skl_execs_forget(struct skl_store *s, struct skl_container *c)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &skl_container_full(c)->execs) {
        drop(s, &SKL_LIST_ENTRY(it, struct skl_exec_full, in_container)->x);
    }
}

void skl_execs_close(struct skl_store *s)
{
    while (!skl_list_empty(&s->execs))
        drop(s, SKL_LIST_ENTRY(s->execs.next, struct skl_exec, in_store));
}

struct load {
    struct skl_store *s;
    char **lost; /* execs without their container: a crash between two writes cannot leave them, an
                  * older version might */
};

static int load_one(void *arg, const char *key, const char *body, struct skl_error *err)
{
    struct load *load = arg;
    struct skl_exec *x = skl_exec_new();
    struct skl_container *c;
    int rc = skl_exec_decode(skl_str(body), x, err);

    if (rc < 0) {
        skl_exec_free(x);
        return rc;
    }
    snprintf(x->id, sizeof(x->id), "%s", key);
    c = skl_container_by_id(load->s, x->container_id);
    if (!c || skl_exec_find(load->s, x->id)) {
        skl_strv_push(&load->lost, key);
        skl_exec_free(x);
        return 0;
    }
    if (x->running) {
        x->running = false;
        x->ended_ns = skl_wall_ns();
    }
    exec_link(load->s, c, x);
    if (x->ended_ns != 0) {
        skl_exec_full(x)->ended_ms = skl_mono_of_wall(x->ended_ns);
        prune_later(load->s);
    }
    return 0;
}

int skl_execs_load(struct skl_store *s, struct skl_error *err)
{
    struct load load = {s, NULL};
    int rc = skl_db_each(s->db, SKL_DB_EXEC, load_one, &load, err);

    for (char **p = load.lost; rc == 0 && p && *p; p++)
        rc = skl_db_delete(s->db, SKL_DB_EXEC, *p, err);
    skl_strv_free(load.lost);
    return rc;
}
