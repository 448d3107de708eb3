/* The process as the kernel sees it, under the names that Prometheus' own clients use. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ops/ops_internal.h"

static long long open_fds(void)
{
    long long n = -3; /* "." and "..", and the descriptor of the folder itself */
    DIR *d = opendir("/proc/self/fd");

    if (!d)
        return -1;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Fields 20 (threads), 22 (start, in ticks after boot) and 24 (RSS, in pages) of /proc/self/stat. */
static bool read_stat(long *threads, unsigned long long *start_ticks, long *rss_pages)
{
    FILE *f = fopen("/proc/self/stat", "re");
    int n;

    if (!f)
        return false;
    n = fscanf(f,
               "%*d (%*[^)]) %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%ld %*s %llu %*s %ld",
               threads, start_ticks, rss_pages);
    fclose(f);
    return n == 3;
}

static void gauge(struct skl_buf *out, const char *name, const char *help, double value)
{
    skl_metric_render_head(out, name, help, SKL_METRIC_GAUGE);
    skl_buf_addf(out, "%s %.17g\n", name, value);
}

static double started_at(unsigned long long ticks)
{
    struct timespec now, up;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void ops_process(struct skl_buf *out)
{
    unsigned long long start_ticks;
    long threads, rss_pages;
    struct rlimit fds;
    struct rusage use;

    if (read_stat(&threads, &start_ticks, &rss_pages)) {
        gauge(out, "process_resident_memory_bytes", "Resident memory.",
              (double)rss_pages * (double)sysconf(_SC_PAGESIZE));
        gauge(out, "process_threads", "Threads of the process.", (double)threads);
        gauge(out, "process_start_time_seconds", "Start of the process since the epoch.",
              started_at(start_ticks));
    }
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        skl_metric_render_head(out, "process_cpu_seconds_total", "CPU time, user and system.",
                               SKL_METRIC_COUNTER);
        skl_buf_addf(out, "process_cpu_seconds_total %.3f\n",
                     (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    }
    gauge(out, "process_open_fds", "Open file descriptors.", (double)open_fds());
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
        gauge(out, "process_max_fds", "The limit of open file descriptors.", (double)fds.rlim_cur);
}
