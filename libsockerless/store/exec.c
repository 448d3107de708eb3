/* Execs as records. The row is there so that `inspect` works after a restart of the daemon; an exec that ran when
 * the daemon ended is shown as ended without an exit code, because nobody was there to see it. */
#include "store/exec.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/store_internal.h"

#define KEEP_ENDED_NS  (5 * 60 * SKL_NS_PER_S)
#define SWEEP_EVERY_MS 60000

struct skl_exec *skl_exec_new(void)
{
    struct skl_exec *x = skl_new0(struct skl_exec);

    skl_random_hex(x->id, SKL_ID_LEN);
    skl_list_init(&x->in_store);
    return x;
}

void skl_exec_free(struct skl_exec *x)
{
    if (!x)
        return;
    skl_strv_free(x->argv);
    skl_strv_free(x->env);
    free(x->cwd);
    free(x->user);
    free(x->detach_keys);
    free(x);
}

/* -- rows */

static char *fixed_text(const struct skl_exec *x)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 8 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "container", x->container_id);
    skl_json_strv(&j, "argv", x->argv);
    skl_row_add_str(&j, "user", x->user);
    skl_row_add_str(&j, "detach_keys", x->detach_keys);
    skl_json_bool(&j, "tty", x->tty);
    skl_json_bool(&j, "stdin", x->attach_stdin);
    skl_json_bool(&j, "stdout", x->attach_stdout);
    skl_json_bool(&j, "stderr", x->attach_stderr);
    skl_json_bool(&j, "privileged", x->privileged);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static char *moving_text(const struct skl_exec *x)
{
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_bool(&j, "started", x->started);
    if (x->has_exit_code)
        skl_json_int(&j, "code", x->exit_code);
    skl_json_int(&j, "pid", x->pid);
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static void link_exec(struct skl_store *s, struct skl_exec *x)
{
    skl_list_push(&s->execs, &x->in_store);
    skl_map_set(&s->execs_by_id, skl_str(x->id), x);
}

int skl_exec_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                  struct skl_error *err)
{
    const char *container = skl_json_get_str(fixed, "container");
    struct skl_exec *x;

    if (strlen(id) != 64 || !container || strlen(container) != 64)
        return skl_fail(err, SKL_E_INTERNAL, "exec '%.64s' is not complete", id);
    x = skl_exec_new();
    memcpy(x->id, id, sizeof(x->id));
    memcpy(x->container_id, container, sizeof(x->container_id));
    x->argv = skl_json_get_strv(fixed, "argv");
    x->user = skl_row_str(fixed, "user");
    x->detach_keys = skl_row_str(fixed, "detach_keys");
    x->tty = skl_json_get_bool(fixed, "tty", false);
    x->attach_stdin = skl_json_get_bool(fixed, "stdin", false);
    x->attach_stdout = skl_json_get_bool(fixed, "stdout", false);
    x->attach_stderr = skl_json_get_bool(fixed, "stderr", false);
    x->privileged = skl_json_get_bool(fixed, "privileged", false);
    x->started = skl_json_get_bool(moving, "started", false);
    x->has_exit_code = skl_json_get(moving, "code") != NULL;
    x->exit_code = (int)skl_json_get_int(moving, "code", 0);
    x->pid = (int)skl_json_get_int(moving, "pid", 0);
    x->ended_ns = x->started ? skl_wall_ns() : 0;
    link_exec(store, x);
    return 0;
}

static int persist(struct skl_store *s, const struct skl_exec *x, struct skl_error *err)
{
    char *moving SKL_AUTO_STR = moving_text(x);

    return skl_db_update(s->db, "exec", x->id, moving, err);
}

static void drop(struct skl_store *s, struct skl_exec *x)
{
    struct skl_error err;

    if (skl_db_delete(s->db, "exec", x->id, &err) < 0)
        skl_warn("exec", "an old record stays", "exec", x->id, "error", err.msg, NULL);
    skl_map_remove(&s->execs_by_id, skl_str(x->id));
    skl_list_remove(&x->in_store);
    x->dropped = true;
    if (!x->live)
        skl_exec_free(x);
}

void skl_exec_drop_all(struct skl_store *s, const char *container_id)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &s->execs) {
        struct skl_exec *x = SKL_LIST_ENTRY(it, struct skl_exec, in_store);

        if (strcmp(x->container_id, container_id) == 0)
            drop(s, x);
    }
}

static void sweep(void *arg)
{
    struct skl_store *s = arg;
    int64_t before = skl_wall_ns() - KEEP_ENDED_NS;
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &s->execs) {
        struct skl_exec *x = SKL_LIST_ENTRY(it, struct skl_exec, in_store);

        if (x->ended_ns != 0 && x->ended_ns < before && !x->live)
            drop(s, x);
    }
}

void skl_exec_start_sweep(struct skl_store *s)
{
    s->exec_sweep = skl_timer_repeat(s->loop, SWEEP_EVERY_MS, sweep, s);
}

/* -- life */

struct skl_exec *skl_exec_find(struct skl_store *s, const char *id)
{
    return skl_map_getz(&s->execs_by_id, id);
}

/* "exec_create: sh -c x" with the exec's id */
static void event(struct skl_store *s, const struct skl_exec *x, const char *action,
                  bool with_command)
{
    struct skl_container *c = skl_container_by_id(s, x->container_id);
    SKL_AUTO_BUF struct skl_buf text;
    char code[16];
    char *extra[] = {(char[]){"execID"}, NULL, (char[]){"exitCode"}, code, NULL};
    char id[65];

    if (!c)
        return;
    skl_buf_init(&text, SKL_MIB);
    skl_buf_adds(&text, action);
    for (char **p = with_command ? x->argv : NULL; p && *p; p++)
        skl_buf_addf(&text, "%s%s", p == x->argv ? ": " : " ", *p);
    memcpy(id, x->id, sizeof(id));
    extra[1] = id;
    snprintf(code, sizeof(code), "%d", x->exit_code);
    if (!x->has_exit_code)
        extra[2] = NULL;
    skl_container_event(s, c, text.p, extra);
}

int skl_exec_add(struct skl_store *s, struct skl_exec *own_x, struct skl_error *err)
{
    char *fixed SKL_AUTO_STR = fixed_text(own_x);
    char *moving SKL_AUTO_STR = moving_text(own_x);
    int rc = skl_db_insert(s->db, "exec", own_x->id, fixed, moving, err);

    if (rc < 0) {
        skl_exec_free(own_x);
        return rc;
    }
    link_exec(s, own_x);
    event(s, own_x, "exec_create", true);
    return 0;
}

int skl_exec_started(struct skl_store *s, struct skl_exec *x, struct skl_error *err)
{
    int rc;

    SKL_ASSERT(!x->started);
    x->started = x->running = true;
    rc = persist(s, x, err);
    if (rc < 0)
        x->started = x->running = false;
    else
        event(s, x, "exec_start", true);
    return rc;
}

void skl_exec_set_pid(struct skl_store *s, struct skl_exec *x, int pid)
{
    x->pid = pid; /* written with the end */
}

int skl_exec_ended(struct skl_store *s, struct skl_exec *x, int code, struct skl_error *err)
{
    int rc;

    x->running = false;
    x->has_exit_code = true;
    x->exit_code = code;
    x->ended_ns = skl_wall_ns();
    rc = persist(s, x, err);
    event(s, x, "exec_die", false);
    return rc;
}

char **skl_exec_running_ids(struct skl_store *s, const char *container_id)
{
    struct skl_list *it;
    char **ids = NULL;

    skl_list_foreach (it, &s->execs) {
        struct skl_exec *x = SKL_LIST_ENTRY(it, struct skl_exec, in_store);

        if (x->running && strcmp(x->container_id, container_id) == 0)
            skl_strv_push(&ids, x->id);
    }
    return ids;
}
