/* Brings the agent into a workload: an init container runs this program to copy itself to a shared volume. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "base/limits.h"

static int copy(int from, int to)
{
    ssize_t n;

    while ((n = sendfile(to, from, NULL, SKL_MIB)) > 0)
        ;
    return n < 0 ? -errno : 0;
}

int agent_install(const char *dir, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0}, temp = {0};
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to, rc;

    skl_buf_init(&path, 4096);
    skl_buf_init(&temp, 4096);
    skl_buf_addf(&path, "%s/sockerless-agent", dir);
    skl_buf_addf(&temp, "%s/.sockerless-agent.new", dir);
    if (from < 0)
        return skl_fail_errno(err, errno, "opening this program");
    to = open(temp.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    rc = to < 0 ? -errno : copy(from, to);
    if (rc == 0 && fchmod(to, 0755) < 0)
        rc = -errno;
    if (to >= 0)
        close(to);
    close(from);
    if (rc == 0 && rename(temp.p, path.p) < 0)
        rc = -errno;
    return rc < 0 ? skl_fail_errno(err, -rc, "copying the agent to '%s'", dir) : 0;
}
