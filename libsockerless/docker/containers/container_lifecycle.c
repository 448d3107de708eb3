/* The calls that change a container's state: query in, docker/lifecycle/lifecycle.h, status out. */
#include <limits.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "docker/api/routes.h"
#include "docker/containers/container_render.h"
#include "docker/lifecycle/lifecycle.h"

#define MAX_START_BODY 7 /* "{}", "null" and the like are what old clients send */

void skl_route_container_start(struct skl_request *r)
{
    int64_t length = skl_http_content_length(r->http);
    struct skl_container *c;

    if (length < 0 || length > MAX_START_BODY) {
        skl_request_fail(r, SKL_E_INVALID,
                         "starting container with non-empty request body was deprecated since API "
                         "v1.22 and removed in v1.24");
        return;
    }
    c = skl_request_container(r);
    if (c)
        skl_lifecycle_start(r->engine, c, skl_request_done_204, skl_request_ref(r));
}

/* t: seconds, negative: never kill; signal: from 1.42. */
static int stop_options(struct skl_request *r, char **own_signal, struct skl_stop_options *ret,
                        struct skl_error *err)
{
    SKL_AUTO_STR char *t = skl_request_query(r, "t");
    SKL_AUTO_STR char *signal = r->version >= 142 ? skl_request_query(r, "signal") : NULL;
    int64_t seconds;
    int signo;

    *ret = (struct skl_stop_options){.timeout_s = INT_MIN};
    if (!skl_str_empty(t)) {
        if (!skl_str_i64(skl_str_trim(skl_str(t)), &seconds))
            return skl_fail(err, SKL_E_INVALID, "strconv.Atoi: parsing \"%.100s\": invalid syntax",
                            t);
        ret->timeout_s = seconds < 0 ? -1 : seconds > INT_MAX ? INT_MAX : (int)seconds;
    }
    if (!skl_str_empty(signal)) {
        if (!skl_signal_parse(signal, &signo))
            return skl_fail(err, SKL_E_INVALID, "Invalid signal: %.100s", signal);
        ret->signal = *own_signal = skl_take(&signal);
    }
    return 0;
}

typedef void stop_call(struct skl_engine *e, struct skl_container *c,
                       const struct skl_stop_options *o, skl_lifecycle_cb *cb, void *arg);

static void stop_with(struct skl_request *r, stop_call *call)
{
    SKL_AUTO_STR char *signal = NULL;
    struct skl_stop_options options;
    struct skl_container *c;
    struct skl_error err;

    if (stop_options(r, &signal, &options, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    c = skl_request_container(r);
    if (c)
        call(r->engine, c, &options, skl_request_done_204, skl_request_ref(r));
}

void skl_route_container_stop(struct skl_request *r)
{
    stop_with(r, skl_lifecycle_stop);
}

void skl_route_container_restart(struct skl_request *r)
{
    stop_with(r, skl_lifecycle_restart);
}

void skl_route_container_kill(struct skl_request *r)
{
    SKL_AUTO_STR char *signal = skl_request_query(r, "signal");
    struct skl_container *c;
    struct skl_error err;
    int signo;

    if (!skl_str_empty(signal) && !skl_signal_parse(signal, &signo)) {
        skl_request_fail(r, SKL_E_INVALID, "Invalid signal: %.100s", signal);
        return;
    }
    if (skl_container_find(r->engine->store, r->param, &c, &err) < 0) {
        skl_wrap(&err, -(int)err.kind, "Cannot kill container: %.100s", r->param);
        skl_request_error(r, &err);
        return;
    }
    skl_lifecycle_kill(r->engine, c, skl_str_empty(signal) ? NULL : signal, skl_request_done_204,
                       skl_request_ref(r));
}

void skl_route_container_pause(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);

    if (c)
        skl_lifecycle_pause(r->engine, c, true, skl_request_done_204, skl_request_ref(r));
}

void skl_route_container_unpause(struct skl_request *r)
{
    struct skl_container *c = skl_request_container(r);

    if (c)
        skl_lifecycle_pause(r->engine, c, false, skl_request_done_204, skl_request_ref(r));
}

void skl_route_container_remove(struct skl_request *r)
{
    const struct skl_remove_options options = {
        .force = skl_request_query_bool(r, "force", false),
        .volumes = skl_request_query_bool(r, "v", false),
    };
    struct skl_container *c;

    if (strstr(r->param, "/checkpoints/")) { /* no name has a slash inside */
        skl_route_checkpoints(r);
        return;
    }
    if (skl_request_query_bool(r, "link", false)) {
        skl_request_fail(r, SKL_E_UNSUPPORTED,
                         "links are recorded only: there is none that could be removed");
        return;
    }
    c = skl_request_container(r);
    if (!c)
        return;
    if (c->state == SKL_CONTAINER_REMOVING) {
        skl_request_fail(r, SKL_E_CONFLICT, "removal of container %s is already in progress",
                         c->name);
        return;
    }
    skl_lifecycle_remove(r->engine, c, &options, skl_request_done_204, skl_request_ref(r));
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (i == 0 || (c != '_' && c != '.' && c != '-')))
            return false;
    }
    return n >= 2 && n <= 1024;
}

int skl_container_name_check(const char *name, struct skl_error *err)
{
    if (is_name(name))
        return 0;
    return skl_fail(err, SKL_E_INVALID,
                    "Invalid container name (%.200s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                    name);
}

void skl_route_container_rename(struct skl_request *r)
{
    SKL_AUTO_STR char *name = skl_request_query(r, "name");
    const char *bare = name && *name == '/' ? name + 1 : name;
    struct skl_container *c = skl_request_container(r);
    struct skl_error err;
    int rc;

    if (!c)
        return;
    if (skl_str_empty(bare)) {
        skl_request_fail(r, SKL_E_INVALID, "Neither old nor new names may be empty");
        return;
    }
    if (skl_streq(bare, c->name)) {
        skl_request_fail(r, SKL_E_INVALID,
                         "Renaming a container with the same name as its current name");
        return;
    }
    rc = skl_container_name_check(bare, &err);
    if (rc < 0) /* an Engine has put the slash in front by then */
        skl_fail(&err, SKL_E_INVALID,
                 "Invalid container name (/%.200s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                 bare);
    else
        rc = skl_container_rename(r->engine->store, c, bare, &err);
    if (rc == -SKL_E_INVALID) /* of a conflict the store has said so */
        skl_wrap(&err, rc, "Error when allocating new name");
    if (rc < 0)
        skl_request_error(r, &err);
    else
        skl_request_status(r, 204);
}

/* What an Engine without experimental features says: clients fall back by themselves. */
void skl_route_checkpoints(struct skl_request *r)
{
    skl_request_fail(r, SKL_E_UNSUPPORTED,
                     "This experimental feature is disabled by default. Start the Docker daemon "
                     "in experimental mode in order to enable it.");
}

/* -- wait: the header leaves at once, since clients send `start` only after they have it */

static void wait_gone(struct skl_request *r)
{
    struct skl_waiter *w = r->state;

    r->state = NULL;
    if (w)
        skl_waiter_cancel(&w);
}

static void wait_over(void *arg, int exit_code, const char *error)
{
    struct skl_request *r = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    r->state = NULL;
    skl_buf_init(&b, 16 * SKL_KIB);
    if (!r->http)
        return;
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_int(&j, "StatusCode", exit_code);
    if (error) {
        skl_json_object(&j, "Error");
        skl_json_str(&j, "Message", error);
        skl_json_end_object(&j);
    } else if (r->version < 144) {
        skl_json_null(&j, "Error");
    }
    skl_json_end_object(&j);
    skl_buf_addc(&b, '\n');
    skl_http_write(r->http, b.p, b.n);
    skl_http_end(r->http);
}

void skl_route_container_wait(struct skl_request *r)
{
    SKL_AUTO_STR char *text = skl_request_query(r, "condition");
    enum skl_wait_condition condition = SKL_WAIT_NOT_RUNNING;
    struct skl_container *c;

    if (skl_streq(text, "next-exit")) {
        condition = SKL_WAIT_NEXT_EXIT;
    } else if (skl_streq(text, "removed")) {
        condition = SKL_WAIT_REMOVED;
    } else if (!skl_str_empty(text) && !skl_streq(text, "not-running")) {
        skl_request_fail(r, SKL_E_INVALID, "invalid condition: \"%.100s\"", text);
        return;
    }
    c = skl_request_container(r);
    if (!c)
        return;
    r->on_gone = wait_gone;
    skl_request_begin(r, 200, "application/json", NULL);
    skl_http_end_on_eof(r->http, true);
    r->state = skl_container_wait(r->engine->store, c, condition, wait_over, r);
}
