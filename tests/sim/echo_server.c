/* Echoes what it reads, a process per connection: for workloads in tests (busybox's own servers queue two connections).
 * usage: echo_server PORT */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void echo(int fd)
{
    char data[65536];
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0)
        for (ssize_t at = 0, wrote; at < n; at += wrote)
            if ((wrote = write(fd, data + at, (size_t)(n - at))) < 0)
                _exit(1);
    _exit(n < 0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 2)
        return 2;
    at.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
    signal(SIGCHLD, SIG_IGN);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0)
        return 1;
    for (;;) {
        int connection = accept(fd, NULL, NULL);

        if (connection >= 0 && fork() == 0) {
            close(fd);
            echo(connection);
        }
        close(connection);
    }
}
