#include "daemon/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

void skl_notify(const char *notify_socket, const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = notify_socket ? strlen(notify_socket) : 0;
    int fd;

    if (n == 0 || n >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, notify_socket, n);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0'; /* the abstract name space */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* Whether the manager hears it is the manager's matter. */
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

int skl_notify_listen_fds(const char *listen_pid, const char *listen_fds)
{
    uint64_t pid, n;

    if (!skl_str_u64(skl_str(listen_pid), &pid) || pid != (uint64_t)getpid() ||
        !skl_str_u64(skl_str(listen_fds), &n) || n > 64)
        return 0;
    for (int fd = 3; fd < 3 + (int)n; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* cannot fail on an open descriptor */
    return (int)n;
}
