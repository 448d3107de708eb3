/* The child of a process that begins: from fork() to exec().
 *
 * By hand: libuv's spawn knows no groups, terminals or limits, and cannot tell which step failed. Everything that
 * allocates is done before the fork; the child makes system calls only, and tells a failure through a pipe that a
 * successful exec closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "child.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* -- after the fork */

enum step { STEP_EXEC, STEP_CWD, STEP_USER, STEP_TTY, STEP_LIMIT };

struct failure {
    enum step step;
    int errnum;
};

struct limit {
    int resource;
    struct rlimit value;
};

struct plan {
    char **argv, **env;
    char **candidates; /* absolute paths to try, in order */
    const char *cwd;
    struct agent_user user;
    struct limit limits[16];
    size_t n_limits;
    int fds[3]; /* of the child; -1: /dev/null */
    bool tty;
    int report;
};

static void child_fail(const struct plan *plan, enum step step, int errnum) SKL_NORETURN;

static void child_fail(const struct plan *plan, enum step step, int errnum)
{
    struct failure f = {step, errnum};

    (void)!write(plan->report, &f, sizeof(f)); /* the parent sees the end of the pipe in any case */
    _exit(127);
}

static void child_signals(void)
{
    sigset_t none;

    for (int i = 1; i < 65; i++)
        (void)signal(i, SIG_DFL); /* KILL and STOP refuse */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_fds(const struct plan *plan)
{
    int null_fd = open("/dev/null", O_RDWR);

    for (int i = 0; i < 3; i++) {
        int fd = plan->fds[i] >= 0 ? plan->fds[i] : null_fd;

        if (fd >= 0)
            dup2(fd, i);
        else
            close(i);
    }
    if (null_fd > 2)
        close(null_fd);
}

static void child_user(const struct plan *plan)
{
    const struct agent_user *u = &plan->user;

    if (geteuid() != 0 && u->uid == geteuid() && u->gid == getegid())
        return; /* we are that user, and may not change groups */
    if (geteuid() == 0 && setgroups(u->n_groups, u->groups) < 0)
        child_fail(plan, STEP_USER, errno);
    if (setgid(u->gid) < 0 || setuid(u->uid) < 0)
        child_fail(plan, STEP_USER, errno);
}

static void child_exec(const struct plan *plan)
{
    int errnum = ENOENT;

    for (char **c = plan->candidates; c && *c; c++) {
        execve(*c, plan->argv, plan->env);
        if (errno != ENOENT && errno != ENOTDIR)
            errnum = errno;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            break;
    }
    child_fail(plan, STEP_EXEC, errnum);
}

static void child(const struct plan *plan) SKL_NORETURN;

static void child(const struct plan *plan)
{
    child_signals();
    setsid();
    child_fds(plan);
    if (plan->tty && ioctl(0, TIOCSCTTY, 0) < 0)
        child_fail(plan, STEP_TTY, errno);
    for (size_t i = 0; i < plan->n_limits; i++)
        if (setrlimit((__rlimit_resource_t)plan->limits[i].resource, &plan->limits[i].value) < 0)
            child_fail(plan, STEP_LIMIT, errno);
    child_user(plan);
    if (chdir(plan->cwd) < 0)
        child_fail(plan, STEP_CWD, errno);
    child_exec(plan);
    _exit(127);
}

/* -- planning */

static const char *env_get(char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

static void env_default(char ***env, const char *name, const char *value)
{
    struct skl_buf b;
    char *text;

    if (env_get(*env, name))
        return;
    skl_buf_init(&b, SKL_MIB);
    skl_buf_addf(&b, "%s=%s", name, value);
    text = skl_buf_detach(&b);
    skl_strv_push(env, text);
    free(text);
}

static char **find_candidates(const char *command, const char *path, const char *cwd)
{
    struct skl_str rest = skl_str(skl_str_empty(path) ? DEFAULT_PATH : path);
    char **list = NULL;

    if (strchr(command, '/')) {
        skl_strv_push(&list, command);
        return list;
    }
    while (rest.p) {
        struct skl_str dir = skl_str_cut(rest, ':', &rest);
        struct skl_buf b;
        char *text;

        skl_buf_init(&b, 64 * SKL_KIB);
        if (dir.n == 0)
            skl_buf_adds(&b, ".");
        skl_buf_addstr(&b, dir);
        skl_buf_addf(&b, "/%s", command);
        text = skl_buf_detach(&b);
        skl_strv_push(&list, text);
        free(text);
    }
    return list;
}

static const struct {
    const char *name;
    int resource;
} limit_names[] = {
    {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static rlim_t limit_value(struct skl_str s)
{
    uint64_t v;

    return skl_str_u64(s, &v) ? (rlim_t)v : RLIM_INFINITY;
}

static void plan_limits(struct plan *plan, char *const *ulimits)
{
    for (; ulimits && *ulimits && plan->n_limits < SKL_ARRAY_LEN(plan->limits); ulimits++) {
        struct skl_str hard, rest, name = skl_str_cut(skl_str(*ulimits), '=', &rest);
        struct skl_str soft = skl_str_cut(rest, ':', &hard);

        for (size_t i = 0; i < SKL_ARRAY_LEN(limit_names); i++)
            if (skl_str_eqz(name, limit_names[i].name))
                plan->limits[plan->n_limits++] =
                    (struct limit){limit_names[i].resource,
                                   {limit_value(soft), limit_value(hard.p ? hard : soft)}};
    }
}

/* Docker makes the working directory when it is missing. */
static int make_cwd(const char *cwd, struct skl_error *err)
{
    char *copy SKL_AUTO_STR = skl_strdup(cwd);
    struct stat st;

    if (cwd[0] != '/')
        return skl_fail(err, SKL_E_INVALID, "Cwd must be an absolute path");
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(copy, 0755);
            *p = '/';
        }
    (void)mkdir(copy, 0755);
    if (stat(cwd, &st) < 0 || !S_ISDIR(st.st_mode))
        return skl_fail(err, SKL_E_INVALID, "chdir to cwd (\"%s\") set in config.json failed: %s",
                        cwd, errno == ENOENT ? "no such file or directory" : "not a directory");
    return 0;
}

static int plan_make(struct plan *plan, const struct agent_process_spec *spec,
                     struct skl_error *err)
{
    char hostname[256] = "localhost";
    const char *cwd = skl_str_empty(spec->cwd) ? "/" : spec->cwd;
    int rc;

    *plan = (struct plan){.cwd = cwd, .tty = spec->tty};
    if (!spec->argv || !spec->argv[0] || !*spec->argv[0])
        return skl_fail(err, SKL_E_INVALID, "exec: \"\": executable file not found in $PATH");
    rc = agent_user_find(spec->user, spec->group_add, &plan->user, err);
    if (rc == 0)
        rc = make_cwd(cwd, err);
    if (rc < 0)
        return rc;
    (void)gethostname(hostname, sizeof(hostname) - 1);
    plan->argv = spec->argv;
    plan->env = skl_strv_dup(spec->env);
    env_default(&plan->env, "PATH", DEFAULT_PATH);
    env_default(&plan->env, "HOSTNAME", hostname);
    if (spec->tty)
        env_default(&plan->env, "TERM", "xterm");
    env_default(&plan->env, "HOME", plan->user.home);
    plan->candidates = find_candidates(spec->argv[0], env_get(plan->env, "PATH"), cwd);
    plan_limits(plan, spec->ulimits);
    return 0;
}

static void plan_fini(struct plan *plan)
{
    skl_strv_free(plan->env);
    skl_strv_free(plan->candidates);
    free(plan->user.home);
}

/* -- the words of a Docker Engine */

static int describe(const struct failure *f, const char *command, int *code, struct skl_error *err)
{
    *code = f->errnum == ENOENT || f->errnum == ENOTDIR ? 127 : 126;
    switch (f->step) {
    case STEP_EXEC:
        if (f->errnum == ENOENT || f->errnum == ENOTDIR) {
            if (strchr(command, '/'))
                return skl_fail(err, SKL_E_INVALID,
                                "exec: \"%s\": stat %s: no such file or directory", command,
                                command);
            return skl_fail(err, SKL_E_INVALID, "exec: \"%s\": executable file not found in $PATH",
                            command);
        }
        if (f->errnum == EACCES)
            return skl_fail(err, SKL_E_INVALID, "exec: \"%s\": permission denied", command);
        return skl_fail(err, SKL_E_INVALID, "exec %s: %s", command,
                        f->errnum == ENOEXEC ? "exec format error" : strerror(f->errnum));
    case STEP_CWD:
        *code = 126;
        return skl_fail(err, SKL_E_INVALID, "chdir to cwd failed: %s",
                        f->errnum == EACCES ? "permission denied" : strerror(f->errnum));
    case STEP_USER:
        return skl_fail(err, SKL_E_INVALID, "setting the user: %s", strerror(f->errnum));
    case STEP_TTY:
        return skl_fail(err, SKL_E_INVALID, "setting the terminal: %s", strerror(f->errnum));
    case STEP_LIMIT:
        return skl_fail(err, SKL_E_INVALID, "error setting rlimits: %s", strerror(f->errnum));
    }
    return skl_fail(err, SKL_E_INTERNAL, "%s", strerror(f->errnum));
}
/* -- its ends */

static void close_pair(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

struct channels {
    int in[2], out[2], err[2]; /* [0] read end, [1] write end */
    int master, slave;
};

static int open_terminal(struct channels *c, const struct agent_process_spec *spec)
{
    struct winsize size = {.ws_row = (unsigned short)spec->rows,
                           .ws_col = (unsigned short)spec->cols};
    char name[128];

    c->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->master < 0 || grantpt(c->master) < 0 || unlockpt(c->master) < 0 ||
        ptsname_r(c->master, name, sizeof(name)) != 0)
        return -errno;
    c->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->slave < 0)
        return -errno;
    if (size.ws_row > 0)
        (void)ioctl(c->master, TIOCSWINSZ, &size); /* the default size does */
    return 0;
}

static int open_channels(struct channels *c, const struct agent_process_spec *spec)
{
    *c = (struct channels){{-1, -1}, {-1, -1}, {-1, -1}, -1, -1};
    if (spec->tty)
        return open_terminal(c, spec);
    if (pipe2(c->out, O_CLOEXEC) < 0 || pipe2(c->err, O_CLOEXEC) < 0 ||
        (spec->stdin_open && pipe2(c->in, O_CLOEXEC) < 0))
        return -errno;
    return 0;
}

static void close_channels(struct channels *c)
{
    close_pair(c->in);
    close_pair(c->out);
    close_pair(c->err);
    close_pair((int[]){c->master, c->slave});
}
/* -- beginning */

/* Reads what the child says until exec closes the pipe: a few hundred microseconds. */
static bool child_failed(int fd, struct failure *ret)
{
    ssize_t n;

    do
        n = read(fd, ret, sizeof(*ret));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*ret);
}
static int run_child(struct plan *plan, struct channels *c, pid_t *ret_pid, struct failure *why)
{
    int report[2];
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    plan->report = report[1];
    plan->fds[0] = plan->tty ? c->slave : c->in[0];
    plan->fds[1] = plan->tty ? c->slave : c->out[1];
    plan->fds[2] = plan->tty ? c->slave : c->err[1];
    pid = fork();
    if (pid == 0)
        child(plan);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return -errno;
    }
    *ret_pid = pid;
    if (child_failed(report[0], why)) {
        close(report[0]);
        (void)waitpid(pid, NULL, 0); /* it ends by itself */
        return 1;
    }
    close(report[0]);
    return 0;
}
int agent_child_start(const struct agent_process_spec *spec, struct agent_child *ret, int *code,
                      struct skl_error *err)
{
    struct channels c;
    struct failure why;
    struct plan plan;
    pid_t pid = 0;
    int rc;

    *code = 126;
    rc = plan_make(&plan, spec, err);
    if (rc < 0) {
        plan_fini(&plan);
        *code = strstr(err->msg, "not found in $PATH") ? 127 : 126;
        return rc;
    }
    rc = open_channels(&c, spec);
    if (rc == 0)
        rc = run_child(&plan, &c, &pid, &why);
    plan_fini(&plan);
    if (rc != 0) {
        close_channels(&c);
        if (rc > 0)
            return describe(&why, spec->argv[0], code, err);
        *code = 125;
        return skl_fail_errno(err, -rc, "starting a process");
    }
    close_pair((int[]){c.in[0], c.slave});
    close_pair((int[]){c.out[1], c.err[1]});
    *ret = spec->tty ? (struct agent_child){pid, c.master, -1, -1}
                     : (struct agent_child){pid, c.out[0], c.err[0], c.in[1]};
    return 0;
}
