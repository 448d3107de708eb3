/* Moments to compare the change times of files with.
 *
 * A file's change is stamped with a coarse clock that ticks every few milliseconds and is late on a busy machine, or, on
 * newer kernels and when somebody has looked at the file in between, with the exact time. A moment that the coarse clock
 * tells can thus be before stamps that were made earlier; one that is later than the exact time is not.
 */
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "base/clock.h"

#define PATIENCE_NS                                                                                \
    (200 * SKL_NS_PER_MS) /* the clock was set back: what was there then counts as changed */

static int64_t coarse_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return t.tv_sec * SKL_NS_PER_S + t.tv_nsec;
}

int64_t agent_file_clock_after(int64_t wall_ns)
{
    int64_t give_up_ns = skl_wall_ns() + PATIENCE_NS;
    int64_t now_ns;

    while ((now_ns = coarse_ns()) <= wall_ns && skl_wall_ns() < give_up_ns)
        (void)usleep(500);
    return now_ns;
}
