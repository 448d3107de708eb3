/* Execs: records, and what is asked of them. Running them is exec_start.c. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/hijack.h"
#include "docker/api/routes.h"
#include "docker/containers/exec_live.h"

int skl_exec_check_container(const struct skl_container *c, const char *ref, struct skl_error *err)
{
    if (c->state == SKL_CONTAINER_PAUSED)
        return skl_fail(err, SKL_E_CONFLICT,
                        "Container %s is paused, unpause the container before exec", ref);
    if (c->state == SKL_CONTAINER_RESTARTING)
        return skl_fail(err, SKL_E_CONFLICT,
                        "Container %s is restarting, wait until the container is running", c->id);
    if (c->state != SKL_CONTAINER_RUNNING)
        return skl_fail(err, SKL_E_CONFLICT, "Container %s is not running", c->id);
    return 0;
}

void skl_exec_read_size(struct skl_exec *x, const cJSON *size)
{
    if (cJSON_GetArraySize(size) != 2)
        return;
    x->rows = (unsigned)(skl_json_number(cJSON_GetArrayItem(size, 0), 0) & 0xffff);
    x->cols = (unsigned)(skl_json_number(cJSON_GetArrayItem(size, 1), 0) & 0xffff);
}

static struct skl_exec *exec_from(const struct skl_container *c, const cJSON *body, char **own_argv)
{
    struct skl_exec *x = skl_exec_new();

    snprintf(x->container_id, sizeof(x->container_id), "%s", c->id);
    x->argv = own_argv;
    x->env = skl_json_get_strv(body, "Env");
    x->cwd = skl_strdup(skl_json_get_str(body, "WorkingDir"));
    x->user = skl_strdup(skl_json_get_str(body, "User"));
    x->detach_keys = skl_strdup(skl_json_get_str(body, "DetachKeys"));
    x->tty = skl_json_get_bool(body, "Tty", false);
    x->attach_stdin = skl_json_get_bool(body, "AttachStdin", false);
    x->attach_stdout = skl_json_get_bool(body, "AttachStdout", false);
    x->attach_stderr = skl_json_get_bool(body, "AttachStderr", false);
    x->privileged = skl_json_get_bool(body, "Privileged", false);
    skl_exec_read_size(x, skl_json_get(body, "ConsoleSize"));
    return x;
}

void skl_route_exec_create(struct skl_request *r)
{
    char **argv = skl_json_get_strv(r->body, "Cmd");
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_detach detach;
    struct skl_container *c;
    struct skl_exec *x;
    struct skl_error err;
    struct skl_json j;

    skl_buf_init(&b, 4 * SKL_KIB);
    if (!argv || !argv[0]) {
        skl_strv_free(argv);
        skl_request_fail(r, SKL_E_INVALID, "No exec command specified");
        return;
    }
    if (skl_container_find(r->engine->store, r->param, &c, &err) < 0 ||
        skl_exec_check_container(c, r->param, &err) < 0 ||
        skl_detach_parse(&detach, skl_json_get_str(r->body, "DetachKeys"), &err) < 0) {
        skl_strv_free(argv);
        skl_request_error(r, &err);
        return;
    }
    x = exec_from(c, r->body, argv);
    if (skl_exec_add(r->engine->store, x, &err) < 0) {
        skl_request_error(r, &err);
        return;
    }
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "Id", x->id);
    skl_json_end_object(&j);
    skl_request_json(r, 201, &b);
}

struct skl_exec *skl_request_exec(struct skl_request *r)
{
    struct skl_exec *x = skl_exec_find(r->engine->store, r->param);

    if (!x)
        skl_request_fail(r, SKL_E_NOTFOUND, "No such exec instance: %s", r->param);
    return x;
}

static void add_process(struct skl_json *j, const struct skl_exec *x)
{
    skl_json_object(j, "ProcessConfig");
    skl_json_bool(j, "tty", x->tty);
    skl_json_str(j, "entrypoint", x->argv[0]);
    skl_json_strv(j, "arguments", x->argv + 1);
    skl_json_bool(j, "privileged", x->privileged);
    if (!skl_str_empty(x->user))
        skl_json_str(j, "user", x->user);
    skl_json_end_object(j);
}

void skl_route_exec_inspect(struct skl_request *r)
{
    struct skl_exec *x = skl_request_exec(r);
    SKL_AUTO_BUF struct skl_buf b = {0}, keys = {0};
    struct skl_json j;

    skl_buf_init(&b, SKL_MAX_ANSWER_JSON);
    skl_buf_init(&keys, 4 * SKL_KIB);
    if (!x)
        return;
    if (!skl_str_empty(x->detach_keys))
        skl_base64_add(&keys, x->detach_keys, strlen(x->detach_keys));
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "ID", x->id);
    skl_json_bool(&j, "Running", x->running);
    if (x->has_exit_code)
        skl_json_int(&j, "ExitCode", x->exit_code);
    else
        skl_json_null(&j, "ExitCode");
    add_process(&j, x);
    skl_json_bool(&j, "OpenStdin", x->attach_stdin);
    skl_json_bool(&j, "OpenStderr", x->attach_stderr);
    skl_json_bool(&j, "OpenStdout", x->attach_stdout);
    skl_json_bool(&j, "CanRemove", false);
    skl_json_str(&j, "ContainerID", x->container_id);
    skl_json_str(&j, "DetachKeys", keys.p);
    skl_json_int(&j, "Pid", x->pid);
    skl_json_end_object(&j);
    skl_request_json(r, 200, &b);
}

void skl_route_exec_resize(struct skl_request *r)
{
    struct skl_exec *x = skl_request_exec(r);
    unsigned rows, cols;

    if (!x || !skl_route_read_size(r, &rows, &cols))
        return;
    if (x->has_exit_code) {
        skl_request_fail(r, SKL_E_CONFLICT, "exec process %s is not running", x->id);
        return;
    }
    /* Before the start it is the size to begin with: clients send it as soon as they can. */
    x->rows = rows;
    x->cols = cols;
    skl_exec_live_resize(x);
    skl_request_status(r, 200);
}
