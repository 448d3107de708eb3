/* backend_calls - every call of the contract with a cloud (docker/backend.h), against a hostile cloud. */
#ifndef SKL_FUZZ_BACKEND_CALLS_H
#define SKL_FUZZ_BACKEND_CALLS_H

#include "base/option.h"
#include "cloud_answers.h"
#include "docker/backend.h"

#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define INSTANCE  "00112233445566778899aabbccddeeff"

static void check_line(const char *s)
{
    for (; *s; s++)
        SKL_ASSERT((unsigned char)*s >= ' ' && *s != 0x7f);
}

/* After each call: whatever the cloud said, ours is one printable line. */
static void check_rc(int rc, const struct skl_error *err)
{
    if (rc < 0)
        check_line(err->msg);
}

static bool on_log_line(void *arg, enum skl_spool_stream stream, int64_t time_ns,
                        struct skl_str line)
{
    return true;
}

struct seen_resource {
    const struct skl_backend *b;
    void *ctx;
    struct skl_call *call;
    unsigned removed;
};

static void on_resource(void *arg, const struct skl_resource *r)
{
    struct seen_resource *seen = arg;
    struct skl_error err;

    SKL_ASSERT(r->name && r->kind && r->container_id);
    if (seen->removed++ < 2)
        check_rc(seen->b->resource_remove(seen->ctx, seen->call, r, &err), &err);
}

static void merge(struct skl_container_snapshot *c, struct skl_outcome *o)
{
    for (char **pair = o->cloud.pairs; pair && pair[0]; pair += 2)
        skl_labels_set(&c->cloud, pair[0], pair[1][0] ? pair[1] : NULL);
    skl_outcome_fini(o);
    *o = (struct skl_outcome){0};
}

static void begin_run(const struct skl_backend *b, void *ctx, struct skl_container_snapshot *c,
                      struct skl_call *call)
{
    struct skl_outcome o = {0};
    struct skl_error err;
    int rc = 0;

    b->plan(ctx, c, &c->cloud);
    for (int turn = 0; b->container_create && turn < 4 && rc == 0; turn++) {
        rc = b->container_create(ctx, call, &o, &err);
        check_rc(rc, &err);
        merge(c, &o);
    }
    rc = 0;
    for (int turn = 0; turn < 4 && rc == 0; turn++) {
        rc = b->container_start(ctx, call, &o, &err);
        check_rc(rc, &err);
        merge(c, &o);
    }
}

static void end_run(const struct skl_backend *b, void *ctx, struct skl_call *call)
{
    struct skl_status status = {0};
    char *cursor = NULL;
    struct skl_error err;

    check_rc(b->container_status(ctx, call, &status, &err), &err);
    check_line(status.message);
    if (b->container_logs)
        check_rc(b->container_logs(ctx, call, &cursor, on_log_line, NULL, &err), &err);
    check_rc(b->container_stop(ctx, call, &status, &err), &err);
    if (b->container_ended)
        check_rc(b->container_ended(ctx, call, &err), &err);
    check_rc(b->container_remove(ctx, call, &err), &err);
    free(cursor);
}

/* The settings that all backends have, and what the others need to be complete. */
static const char *backend_getenv(const char *name)
{
    static const char *const settings[][2] = {
        {"SOCKERLESS_ENDPOINT_URL", CLOUD},
        {"SOCKERLESS_CALLBACK_URL", "http://127.0.0.1:4568"},
        {"AZURE_TENANT_ID", "tenant"},
        {"AZURE_CLIENT_ID", "client"},
        {"AZURE_CLIENT_SECRET", "client-secret"},
        {"AZURE_AUTHORITY_HOST", CLOUD},
        {"HOME", "/nonexistent"},
        {"SOCKERLESS_GCF_PROJECT", "project"},
        {"SOCKERLESS_GCF_BUCKET", "bucket"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(settings); i++)
        if (skl_streq(settings[i][0], name))
            return settings[i][1];
    return strstr(name, "SUBSCRIPTION_ID") || strstr(name, "RESOURCE_GROUP") ||
                   strstr(name, "ENVIRONMENT") || strstr(name, "STORAGE_ACCOUNT") ||
                   strstr(name, "WORKSPACE")
               ? "setting"
               : NULL;
}

static void backend_settings(const struct skl_option *rows, size_t n, void *into)
{
    const struct skl_option_table table = {"fuzz", rows, n, into};
    char *nothing[] = {NULL};
    struct skl_error err;

    if (skl_options_load(&table, 1, backend_getenv, nothing, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
}

/* First byte: which calls, so that an input can reach a late one with its first answer. */
static void backend_calls(const struct skl_backend *b, void *ctx, const uint8_t *data, size_t n)
{
    struct skl_container *c = skl_container_new();
    struct skl_container_snapshot *s;
    struct skl_call call = {0};
    struct seen_resource seen = {b, ctx, &call, 0};
    struct skl_error err;

    if (n > 0) {
        cloud_begin(skl_str_n((const char *)data + 1, n - 1));
        (void)snprintf(c->id, sizeof(c->id), "%s", CONTAINER);
        skl_strset(&c->name, "fuzz");
        skl_strset(&c->spec.image, "busybox");
        skl_strset(&c->spec.image_ref, "docker.io/library/busybox:latest");
        skl_strv_push(&c->spec.argv, "true");
        s = skl_snapshot_new(c, INSTANCE);
        skl_strset(&s->token, "agent-token");
        call.c = s;
        if (data[0] & 1)
            begin_run(b, ctx, s, &call);
        else
            b->plan(ctx, s, &s->cloud);
        if (data[0] & 2)
            end_run(b, ctx, &call);
        call.c = NULL;
        if (data[0] & 4)
            check_rc(b->resources_list(ctx, &call, INSTANCE, on_resource, &seen, &err), &err);
        skl_snapshot_free(s);
    }
    skl_container_free(c);
}

#endif
