/* Stands before the agent in workloads of the simulator: with HOSTILE in the environment there is none, and a test
 * plays it. The file is this program, the agent, and the agent's size in 20 digits. Static, for images that hold
 * nothing else. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 20

static int copy(int to, int from, off_t at, off_t end)
{
    while (at < end)
        if (sendfile(to, from, &at, (size_t)(end - at)) <= 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    char path[4096], digits[DIGITS + 1] = "";
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (self < 0 || fstat(self, &st) < 0)
        return 1;
    if (argc == 3 && strcmp(argv[1], "--install") == 0) {
        snprintf(path, sizeof(path), "%s/sockerless-agent", argv[2]);
        int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        return to < 0 || fchmod(to, 0755) < 0 || copy(to, self, 0, st.st_size);
    }
    while (getenv("HOSTILE"))
        pause();
    int agent = memfd_create("agent", MFD_CLOEXEC);
    off_t end = st.st_size - DIGITS;
    if (agent < 0 || pread(self, digits, DIGITS, end) != DIGITS ||
        copy(agent, self, end - atoll(digits), end))
        return 1;
    fexecve(agent, argv, environ);
    return 1;
}
