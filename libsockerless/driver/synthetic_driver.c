/* The driver of last resort: answers from what the store knows, for containers without an agent.
 *
 * It never invents a command's output or exit code. Files put into a container that has not started
 * are staged; directories that a file may be copied into are recognised by name, because the image itself
 * is not here; everything else fails with a sentence that says what is missing.
 */
#include <signal.h>
#include <stdio.h>

#include "base/alloc.h"
#include "driver/driver.h"
#include "driver/workload_internal.h"

#define GO_MODE_DIR (UINT32_C(1) << 31)

static bool is_running(const struct skl_container *c)
{
    return c->state == SKL_CONTAINER_RUNNING || c->state == SKL_CONTAINER_PAUSED;
}

static int needs_agent(const struct skl_workload *w, const char *what, struct skl_error *err)
{
    if (!is_running(w->c))
        return skl_fail(err, SKL_E_CONFLICT, "container %s is not running", w->c->id);
    return skl_fail(err, SKL_E_UNSUPPORTED,
                    "%s needs the agent, which this container does not have: set "
                    "SOCKERLESS_CALLBACK_URL to an address of this daemon that workloads can "
                    "reach, and start the container again",
                    what);
}

static int no_signal(struct skl_workload *w, int signo, struct skl_error *err)
{
    return needs_agent(w, "sending a signal", err);
}

static int no_pause(struct skl_workload *w, bool on, struct skl_error *err)
{
    return needs_agent(w, on ? "pause" : "unpause", err);
}

static int no_resize(struct skl_workload *w, unsigned rows, unsigned cols, struct skl_error *err)
{
    if (!is_running(w->c))
        return needs_agent(w, "resize", err);
    return 0; /* there is no terminal that could have a size */
}

static int no_exec(struct skl_workload *w, const struct skl_process_spec *spec,
                   const struct skl_agent_exec_events *events, void *arg,
                   struct skl_agent_exec **ret, struct skl_error *err)
{
    return needs_agent(w, "exec", err);
}

/* -- stat of a container that waits for its first start */

/* Directories that an image is expected to have, or that the start makes. */
static bool is_known_dir(const struct skl_container *c, const char *path)
{
    static const char *const common[] = {
        "",           "/",    "/bin",     "/dev",     "/etc",       "/home",
        "/lib",       "/mnt", "/opt",     "/root",    "/run",       "/sbin",
        "/srv",       "/tmp", "/usr",     "/usr/bin", "/usr/local", "/usr/local/bin",
        "/usr/share", "/var", "/var/lib", "/var/log", "/var/run",   "/var/tmp"};
    size_t n = strlen(path);

    if (n > 1 && (path[n - 1] == '/' || (n > 2 && path[n - 1] == '.' && path[n - 2] == '/')))
        return true; /* the user says that it is one */
    for (size_t i = 0; i < SKL_ARRAY_LEN(common); i++)
        if (strcmp(path, common[i]) == 0)
            return true;
    if (c->spec.cwd && strcmp(path, c->spec.cwd) == 0)
        return true;
    for (size_t i = 0; i < c->spec.n_mounts; i++)
        if (skl_streq(path, c->spec.mounts[i].destination))
            return true;
    return false;
}

struct stat_answer {
    skl_stat_cb *cb;
    void *arg;
    char *name;
};

static void stat_deferred(void *arg)
{
    struct stat_answer *a = arg;
    struct skl_path_stat st = {.name = a->name, .size = 4096, .mode = GO_MODE_DIR | 0755};

    a->cb(a->arg, &st, NULL);
    free(a->name);
    free(a);
}

static int no_files(const struct skl_workload *w, struct skl_error *err)
{
    if (is_running(w->c))
        return needs_agent(w, "reading files", err);
    if (!w->c->has_run)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "the files of container %s cannot be read before it is started: its image "
                        "is not on this machine",
                        w->c->name);
    return skl_fail(err, SKL_E_UNSUPPORTED,
                    "the workload of container %s has ended and its file system is gone: copy "
                    "from a container while it runs or within SOCKERLESS_WARM_SECONDS after its "
                    "end",
                    w->c->name);
}

static int synthetic_stat(struct skl_workload *w, const char *path, skl_stat_cb *cb, void *arg,
                          struct skl_error *err)
{
    struct stat_answer *a;
    const char *slash;

    if (is_running(w->c) || w->c->has_run)
        return no_files(w, err);
    if (!is_known_dir(w->c, path))
        return skl_fail(err, SKL_E_NOTFOUND, "Could not find the file %s in container %s", path,
                        w->c->name);
    a = skl_new0(struct stat_answer);
    a->cb = cb;
    a->arg = arg;
    slash = strrchr(path, '/');
    a->name = skl_strdup(slash && slash[1] ? slash + 1 : path);
    skl_defer(w->rt->config.loop, stat_deferred, a);
    return 0;
}

static int synthetic_get(struct skl_workload *w, const char *path,
                         const struct skl_get_events *events, void *arg, struct skl_source **ret,
                         struct skl_error *err)
{
    return no_files(w, err);
}

static int synthetic_put(struct skl_workload *w, const struct skl_put_options *options,
                         const struct skl_put_events *events, void *arg, struct skl_sink **ret,
                         struct skl_error *err)
{
    if (is_running(w->c))
        return needs_agent(w, "copying files", err);
    /* An ended container is given them at its next start. */
    return skl_staging_put(w, options, events, arg, ret, err);
}

static int no_view(struct skl_workload *w, enum skl_view view, const struct skl_get_events *events,
                   void *arg, struct skl_source **ret, struct skl_error *err)
{
    if (is_running(w->c))
        return needs_agent(w, "reading the file system", err);
    return skl_fail(
        err, SKL_E_CONFLICT,
        "the files of container %.12s are gone with its workload: it lives while the container "
        "runs and SOCKERLESS_WARM_SECONDS after its end, so start it again or raise that",
        w->c->id);
}

/* -- top: the command as configured; there is nobody to ask what runs */

struct top_answer {
    skl_top_cb *cb;
    void *arg;
    char *command, *user;
};

static void top_deferred(void *arg)
{
    struct top_answer *a = arg;
    char *titles[] = {(char[]){"UID"},  (char[]){"PID"},   (char[]){"PPID"},
                      (char[]){"C"},    (char[]){"STIME"}, (char[]){"TTY"},
                      (char[]){"TIME"}, (char[]){"CMD"},   NULL};
    char *cells[] = {a->user,       (char[]){"1"}, (char[]){"0"},        (char[]){"0"},
                     (char[]){"-"}, (char[]){"?"}, (char[]){"00:00:00"}, a->command,
                     NULL};

    a->cb(a->arg, titles, cells, NULL);
    free(a->command);
    free(a->user);
    free(a);
}

static int synthetic_top(struct skl_workload *w, const char *ps_args, skl_top_cb *cb, void *arg,
                         struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf command = {0};
    struct top_answer *a;

    if (!is_running(w->c))
        return needs_agent(w, "top", err);
    skl_buf_init(&command, SKL_MIB);
    for (char **p = w->c->spec.argv; p && *p; p++)
        skl_buf_addf(&command, "%s%s", p == w->c->spec.argv ? "" : " ", *p);
    a = skl_new0(struct top_answer);
    a->cb = cb;
    a->arg = arg;
    a->command = skl_buf_detach(&command);
    a->user = skl_strdup(skl_str_empty(w->c->spec.user) ? "root" : w->c->spec.user);
    skl_defer(w->rt->config.loop, top_deferred, a);
    return 0;
}

static int no_stats(struct skl_workload *w, skl_stats_cb *cb, void *arg, struct skl_error *err)
{
    return needs_agent(w, "stats", err);
}

static int no_tunnel(struct skl_workload *w, unsigned port, const struct skl_tunnel_events *events,
                     void *arg, struct skl_tunnel **ret, struct skl_error *err)
{
    return needs_agent(w, "a published port", err);
}

const struct skl_driver skl_driver_synthetic = {
    .name = "synthetic",
    .signal = no_signal,
    .pause = no_pause,
    .resize = no_resize,
    .exec = no_exec,
    .stat = synthetic_stat,
    .get = synthetic_get,
    .put = synthetic_put,
    .view = no_view,
    .top = synthetic_top,
    .stats = no_stats,
    .tunnel = no_tunnel,
};
