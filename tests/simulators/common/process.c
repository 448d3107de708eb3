/* Children of the simulator. vfork-like care is taken between fork and exec: this process has threads. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "workload.h"

static void child(const struct sim_process *p, int out, int err) __attribute__((noreturn));

static void child(const struct sim_process *p, int out, int err)
{
    sigset_t none;
    int in = open("/dev/null", O_RDWR);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    dup2(in, 0);
    dup2(p->no_output ? in : out, 1);
    dup2(err, 2);
    if (p->cwd && chdir(p->cwd) < 0)
        _exit(127);
    execvpe(p->argv[0], p->argv, p->env);
    dprintf(2, "%s: %s\n", p->argv[0], strerror(errno));
    _exit(127);
}

int sim_process_spawn(struct sim_process *p, struct skl_error *err)
{
    int out[2] = {-1, -1}, errs[2] = {-1, -1};
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0)
        return skl_fail_errno(err, errno, "making pipes");
    pid = fork();
    if (pid == 0)
        child(p, out[1], errs[1]);
    close(out[1]);
    close(errs[1]);
    if (pid < 0) {
        close(out[0]);
        close(errs[0]);
        return skl_fail_errno(err, errno, "starting '%s'", p->argv[0]);
    }
    p->pid = pid;
    if (p->no_output)
        close(out[0]);
    p->out_fd = p->no_output ? -1 : out[0];
    p->err_fd = errs[0];
    return 0;
}

int sim_tool_run(char *const *argv, struct skl_error *err)
{
    struct sim_process p = {.argv = skl_strv_dup(argv), .env = environ, .no_output = true};
    SKL_AUTO_BUF struct skl_buf text = {0};
    int status = 0, rc;
    ssize_t n;

    skl_buf_init(&text, 64 * SKL_KIB);
    rc = sim_process_spawn(&p, err);
    if (rc < 0) {
        skl_strv_free(p.argv);
        return rc;
    }
    do {
        char bytes[1024];

        n = read(p.err_fd, bytes, sizeof(bytes));
        if (n > 0)
            skl_buf_add(&text, bytes, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    close(p.err_fd);
    while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
        ;
    rc = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        rc = skl_fail(err, SKL_E_INTERNAL, "%s: %.400s", argv[0], text.p);
    skl_strv_free(p.argv);
    return rc;
}
