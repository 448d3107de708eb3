/* store_helper - a store in a temporary folder, and the events it emitted, for the tests of store/. */
#ifndef SKL_TESTS_STORE_HELPER_H
#define SKL_TESTS_STORE_HELPER_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "store/store.h"

struct fixture {
    uv_loop_t loop;
    char dir[64];
    struct skl_store *s;
    struct skl_event_sub *sub;
    struct skl_buf events; /* "type action" per line */
    struct skl_error err;
};

static void note_event(void *arg, const struct skl_event *e)
{
    struct fixture *f = arg;

    skl_buf_addf(&f->events, "%s %s\n", e->type, e->action);
}

static inline void store_reopen(struct fixture *f)
{
    if (f->s) {
        skl_journal_unsubscribe(&f->sub);
        skl_store_close(f->s);
        f->s = NULL;
        uv_run(&f->loop, UV_RUN_DEFAULT);
    }
    ck_assert_msg(skl_store_open(&f->loop, f->dir, &f->s, &f->err) == 0, "%s", f->err.msg);
    f->sub = skl_journal_subscribe(skl_store_journal(f->s), note_event, f);
}

static inline void store_setup(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof(f->dir), "/tmp/skl-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    ck_assert_int_eq(uv_loop_init(&f->loop), 0);
    skl_buf_init(&f->events, 1 << 20);
    store_reopen(f);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void store_teardown(struct fixture *f)
{
    skl_journal_unsubscribe(&f->sub);
    skl_store_close(f->s);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&f->loop), 0);
    skl_buf_fini(&f->events);
    remove_tree(f->dir);
}

/* Runs what was deferred, without waiting for timers. */
static inline void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static inline struct skl_container *add_container(struct fixture *f, const char *name)
{
    struct skl_container *c = skl_container_new();

    c->name = skl_strdup(name);
    c->spec.image = skl_strdup("alpine");
    skl_labels_set(&c->spec.labels, "project", "x");
    ck_assert_msg(skl_container_add(f->s, c, &f->err) == 0, "%s", f->err.msg);
    return c;
}

static inline void run_container(struct fixture *f, struct skl_container *c)
{
    ck_assert_int_eq(skl_container_starting(f->s, c, &f->err), 0);
    ck_assert_msg(skl_network_assign_addresses(f->s, c, &f->err) == 0, "%s", f->err.msg);
    ck_assert_int_eq(skl_container_started(f->s, c, 7, 0, &f->err), 0);
}

static inline void expect_events(struct fixture *f, const char *wanted)
{
    ck_assert_str_eq(f->events.p, wanted);
    skl_buf_reset(&f->events);
}

/* The container of that name, however it is reached after a reopen. */
static inline struct skl_container *named(struct fixture *f, const char *name)
{
    struct skl_container *c = NULL;

    ck_assert_msg(skl_container_find(f->s, name, &c, &f->err) == 0, "%s", f->err.msg);
    return c;
}

#endif
