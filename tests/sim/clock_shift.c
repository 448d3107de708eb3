/* A wall clock that is set by a test: preloaded into a daemon, shifts what it reads by the nanoseconds that stand in the
 * file $CLOCK_SHIFT_FILE (eight bytes, as this machine has them), at any moment. The other clocks stay. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define S_NS INT64_C(1000000000)
#define OURS __attribute__((visibility("default")))

static int64_t shift_ns(void)
{
    static const volatile int64_t *_Atomic shift;
    const char *path = getenv("CLOCK_SHIFT_FILE");

    if (!shift && path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);

        if (fd >= 0)
            close(fd);
        if (p == MAP_FAILED)
            abort(); /* a test without its clock shows nothing */
        shift = p;
    }
    return shift ? *shift : 0;
}

/* The system call: a sanitizer's clock_gettime() may not be ready for the first of these calls. */
OURS int clock_gettime(clockid_t id, struct timespec *ret)
{
    int64_t ns;

    if (syscall(SYS_clock_gettime, id, ret) < 0)
        return -1;
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
        return 0;
    ns = ret->tv_sec * S_NS + ret->tv_nsec + shift_ns();
    ret->tv_sec = ns / S_NS;
    ret->tv_nsec = ns % S_NS;
    return 0;
}

OURS int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return -1;
    ret->tv_sec = t.tv_sec;
    ret->tv_usec = t.tv_nsec / 1000;
    return 0;
}

OURS time_t time(time_t *ret)
{
    struct timespec t;

    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return (time_t)-1;
    if (ret)
        *ret = t.tv_sec;
    return t.tv_sec;
}
