/* A file of output with any content: it is opened, read, appended to, and what was appended is there. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "spool/spool.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

struct seen {
    char tail[5]; /* the newest bytes */
    bool ended;
};

static bool on_data(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str data)
{
    struct seen *s = arg;

    if (data.n >= 4)
        memcpy(s->tail, data.p + data.n - 4, 4);
    return true;
}

static void on_end(void *arg)
{
    ((struct seen *)arg)->ended = true;
}

static void put_file(const char *dir, const unsigned char *data, size_t n)
{
    char path[96];
    int fd;

    snprintf(path, sizeof(path), "%s/c", dir);
    if (mkdir(path, 0700) < 0)
        abort();
    snprintf(path, sizeof(path), "%s/c/1.log", dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    static const struct skl_spool_events events = {on_data, on_end};
    struct skl_spool_read_options options = {.until = SKL_SPOOL_UNTIL_NOW};
    char dir[] = "/tmp/skl-fuzz-XXXXXX";
    struct seen seen = {{0}, false};
    struct skl_spool *s;
    struct skl_error err;
    uint64_t offset;
    uv_loop_t loop;

    skl_log_setup(SKL_LOG_ERROR, false, -1);
    if (!mkdtemp(dir) || uv_loop_init(&loop) < 0)
        abort();
    put_file(dir, data, n);
    s = skl_spool_new(&loop, dir, "c", 0, 0);
    offset = skl_spool_resume_offset(s, "fuzz");
    (void)skl_spool_count_lines(s, 0, 0, true, true);
    if (skl_spool_append(s, "fuzz", offset, SKL_SPOOL_STDOUT, 1, SKL_STR("TAIL"), &err) < 0 ||
        skl_spool_resume_offset(s, "fuzz") != offset + 4)
        abort();
    skl_spool_read(s, &options, &events, &seen);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (!seen.ended || strcmp(seen.tail, "TAIL") != 0)
        abort();
    skl_spool_delete(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) < 0 || rmdir(dir) < 0)
        abort();
    return 0;
}
