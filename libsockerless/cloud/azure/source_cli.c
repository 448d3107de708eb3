/* The last resort of a developer's machine: `az account get-access-token`. Started without a shell, in a
 * process group of its own so that the Python behind the script goes with it, for at most 10 s. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/azure/source.h"

#define LIMIT_MS 10000

struct child {
    pid_t pid;
    int out_fd, err_fd;
    struct skl_buf out, err;
};

static bool resource_is_plain(const char *s)
{
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
              strchr(".:/_-", *s)))
            return false;
    return true;
}

static int open_pipes(int out[2], int error[2], struct skl_error *err)
{
    if (pipe2(out, O_CLOEXEC) < 0)
        return skl_fail_errno(err, errno, "az: pipe");
    if (pipe2(error, O_CLOEXEC) < 0) {
        int saved = errno;

        (void)close(out[0]);
        (void)close(out[1]);
        return skl_fail_errno(err, saved, "az: pipe");
    }
    return 0;
}

/* 0 or an errno; the child starts with no blocked signals and in its own group. */
static int spawn(const char *path, char *const *argv, int out_fd, int err_fd, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, dflt;
    int rc;

    (void)sigemptyset(&none);
    (void)sigemptyset(&dflt);
    (void)sigaddset(&dflt, SIGPIPE);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&files, out_fd, 1);
    (void)posix_spawn_file_actions_adddup2(&files, err_fd, 2);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &dflt);
    (void)posix_spawnattr_setpgroup(&attr, 0);
    (void)posix_spawnattr_setflags(
        &attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
    rc = posix_spawnp(ret, path, &files, &attr, argv, environ);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Reads what is there; false at the end of the stream. */
static bool drain(int fd, struct skl_buf *b)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof(chunk));

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    skl_buf_add(b, chunk, (size_t)n);
    explicit_bzero(chunk, sizeof(chunk));
    return n > 0 && !b->failed;
}

static int read_both(struct child *c, int64_t deadline_ms, const atomic_bool *cancel,
                     struct skl_error *err)
{
    struct pollfd fds[2] = {{.fd = c->out_fd, .events = POLLIN},
                            {.fd = c->err_fd, .events = POLLIN}};

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (cancel && atomic_load(cancel))
            return skl_fail(err, SKL_E_CANCELED, "canceled");
        if (skl_mono_ms() >= deadline_ms)
            return skl_fail(err, SKL_E_TIMEOUT, "az: no answer within %d s", LIMIT_MS / 1000);
        if (poll(fds, 2, 100) <= 0)
            continue;
        if (fds[0].revents && !drain(c->out_fd, &c->out))
            fds[0].fd = -1;
        if (fds[1].revents && !drain(c->err_fd, &c->err))
            fds[1].fd = -1;
    }
    return 0;
}

/* The exit code, or -1. A child that closed its output and stays is ended at the deadline. */
static int reap(pid_t pid, bool kill_first, int64_t deadline_ms)
{
    int status = 0;

    if (kill_first)
        (void)kill(-pid, SIGKILL);
    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);

        if (done == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (done < 0 && errno != EINTR)
            return -1;
        if (skl_cloud_sleep(10, deadline_ms, NULL, NULL) < 0 && !kill_first) {
            kill_first = true;
            (void)kill(-pid, SIGKILL);
            deadline_ms = 0;
        }
    }
}

/* "2026-11-23 15:04:05.000000", local time without a zone. */
static bool parse_local_time(const char *s, int64_t *ret_s)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(s, "%Y-%m-%d %H:%M:%S", &tm);
    time_t t = end ? mktime(&tm) : (time_t)-1;

    *ret_s = (int64_t)t;
    return t != (time_t)-1;
}

static int read_token(struct skl_str text, struct skl_token *ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const char *local;
    int64_t at;
    int rc = skl_json_parse(text, &json, err);

    if (rc < 0)
        return skl_wrap(err, rc, "az");
    local = skl_json_get_str(json, "expiresOn");
    if (!skl_json_get(json, "expires_on") && local && parse_local_time(local, &at))
        (void)cJSON_AddNumberToObject(json, "expires_on", (double)at);
    rc = skl_token_read(json, "accessToken", ret, err);
    return rc < 0 ? skl_wrap(err, rc, "az") : 0;
}

static int failed(const struct child *c, struct skl_error *err)
{
    struct skl_str rest, line = skl_str_trim(skl_str_cut(skl_buf_str(&c->err), '\n', &rest));

    return skl_fail(err, SKL_E_UNAUTHORIZED, "az gave no token: %.*s",
                    (int)(line.n > 300 ? 300 : line.n), line.p);
}

static int run(struct child *c, const struct skl_token_request *q, int64_t deadline_ms,
               struct skl_token *ret, struct skl_error *err)
{
    int rc = read_both(c, deadline_ms, q->limits.cancel, err);
    int status = reap(c->pid, rc < 0, rc < 0 ? 0 : deadline_ms);

    if (rc < 0)
        return rc;
    if (status != 0)
        return failed(c, err);
    return read_token(skl_buf_str(&c->out), ret, err);
}

int skl_token_from_cli(const struct skl_token_request *q, struct skl_token *ret,
                       struct skl_error *err)
{
    char *resource SKL_AUTO_STR = skl_strdup(q->resource);
    char *tenant SKL_AUTO_STR = skl_strdup(q->auth->tenant_id);
    char name[] = "az", account[] = "account", verb[] = "get-access-token", o[] = "-o",
         json[] = "json", res[] = "--resource", ten[] = "--tenant";
    char *argv[] = {name, account, verb, o, json, res, resource, tenant ? ten : NULL, tenant, NULL};
    int64_t deadline_ms = skl_mono_ms() + LIMIT_MS;
    struct child c = {0};
    int out[2], error[2], rc;

    if (q->auth->no_cli || !resource_is_plain(resource))
        return SKL_SOURCE_ABSENT;
    rc = open_pipes(out, error, err);
    if (rc < 0)
        return rc;
    rc = spawn(q->auth->az_path, argv, out[1], error[1], &c.pid);
    (void)close(out[1]);
    (void)close(error[1]);
    if (rc == 0) {
        c.out_fd = out[0];
        c.err_fd = error[0];
        skl_buf_init(&c.out, SKL_MIB);
        skl_buf_init(&c.err, 64 * SKL_KIB);
        if (q->limits.deadline_ms && q->limits.deadline_ms < deadline_ms)
            deadline_ms = q->limits.deadline_ms;
        rc = run(&c, q, deadline_ms, ret, err);
        explicit_bzero(c.out.p, c.out.n);
        skl_buf_fini(&c.out);
        skl_buf_fini(&c.err);
    } else {
        rc = rc == ENOENT ? SKL_SOURCE_ABSENT : skl_fail_errno(err, rc, "az cannot be started");
    }
    (void)close(out[0]);
    (void)close(error[0]);
    return rc;
}
