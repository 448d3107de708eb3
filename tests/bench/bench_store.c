/* What the store and the spool cost: memory per container, time per transition, load, output in and out.
 *
 *     bench_store [containers] [megabytes]
 */
#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/shared_text.h"
#include "spool/spool.h"
#include "store/store.h"

static uv_loop_t loop;
static char dir[] = "/tmp/skl-bench-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void die(const struct skl_error *err)
{
    fprintf(stderr, "bench_store: %s\n", err->msg);
    exit(1);
}

static double since_ms(int64_t start_ns)
{
    return (double)(skl_wall_ns() - start_ns) / 1e6;
}

/* About what Compose sends for a service: 12 variables, 10 labels, a volume, a network. */
static struct skl_container *typical(struct skl_store *s, unsigned i)
{
    static const char *const keys[] = {"project", "service", "number",      "config-hash", "oneoff",
                                       "version", "image",   "working_dir", "depends_on",  "files"};
    struct skl_container *c = skl_container_new();
    struct skl_container_spec *p = &c->spec;
    char text[256], *host;

    snprintf(text, sizeof(text), "project-service-%u", i);
    c->name = skl_strdup(text);
    p->image = skl_strdup("registry.example/team/service:1.2.3");
    snprintf(text, sizeof(text), "sha256:%s", c->id);
    p->image_id = skl_strdup(text);
    p->image_ref = skl_strdup("registry.example/team/service:1.2.3");
    skl_strv_push(&p->argv, "/usr/local/bin/service");
    skl_strv_push(&p->argv, "--serve");
    for (int k = 0; k < 12; k++) {
        snprintf(text, sizeof(text), "VARIABLE_%d=value-of-that-variable-%d", k, k);
        skl_strv_push(&p->env, text);
    }
    p->cwd = skl_strdup("/srv");
    p->hostname = skl_strndup(c->id, 12);
    p->platform = skl_strdup("linux");
    for (size_t k = 0; k < SKL_ARRAY_LEN(keys); k++) {
        snprintf(text, sizeof(text), "com.docker.compose.%s", keys[k]);
        skl_labels_set(&p->labels, text, "some-value-of-the-label");
    }
    p->mounts = skl_new0_n(struct skl_mount, 1);
    p->n_mounts = 1;
    p->mounts[0] = (struct skl_mount){.type = skl_strdup("volume"),
                                      .name = skl_strdup("project_data"),
                                      .source = skl_strdup("/var/lib/docker/volumes/project_data"),
                                      .destination = skl_strdup("/data"),
                                      .rw = true};
    p->config_json = skl_alloc0(1, 1200); /* Config and HostConfig as inspect shows them */
    memset(p->config_json, 'x', 1199);
    host = skl_alloc0(1, 1400);
    memset(host, 'x', 1399);
    p->host_config_json = skl_text_share(host);
    return c;
}

static void bench_store(unsigned n)
{
    struct skl_store *s = NULL;
    struct skl_network *bridge = NULL;
    struct skl_error err;
    struct skl_list *it;
    int64_t start;
    size_t before;

    if (skl_store_open(&loop, dir, &s, &err) < 0 ||
        skl_network_find(s, "bridge", &bridge, &err) < 0)
        die(&err);
    before = mallinfo2().uordblks;
    start = skl_wall_ns();
    for (unsigned i = 0; i < n; i++) {
        struct skl_container *c = typical(s, i);

        if (skl_container_add(s, c, &err) < 0 ||
            skl_network_connect(s, bridge, c, NULL, NULL, &err) < 0)
            die(&err);
    }
    printf("create and connect      %8.1f us each\n", since_ms(start) * 1000 / n);
    start = skl_wall_ns();
    skl_list_foreach (it, skl_container_all(s)) {
        struct skl_container *c = SKL_LIST_ENTRY(it, struct skl_container, in_store);

        if (skl_container_starting(s, c, &err) < 0 || skl_network_assign_addresses(s, c, &err) < 0)
            die(&err);
        if (skl_container_started(s, c, 1, 0, &err) < 0)
            die(&err);
    }
    printf("one transition          %8.1f us\n", since_ms(start) * 1000 / n / 2);
    printf("memory                  %8.0f bytes per running container\n",
           (double)(mallinfo2().uordblks - before) / n);
    skl_store_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    start = skl_wall_ns();
    if (skl_store_open(&loop, dir, &s, &err) < 0)
        die(&err);
    printf("load                    %8.1f ms for %u containers\n", since_ms(start), n);
    skl_store_close(s);
}

struct follower {
    uint64_t bytes;
    bool ended;
};

static bool on_data(void *arg, enum skl_spool_stream stream, int64_t time_ns, struct skl_str data)
{
    ((struct follower *)arg)->bytes += data.n;
    return true;
}

static void on_end(void *arg)
{
    ((struct follower *)arg)->ended = true;
}

/* A reader that follows, while pieces of `size` bytes come in. */
static void bench_spool(uint64_t megabytes, size_t size)
{
    static const struct skl_spool_events events = {on_data, on_end};
    static char block[65536];
    const uint64_t total = megabytes << 20;
    struct skl_spool_read_options options = {.until = SKL_SPOOL_UNTIL_NOW};
    struct follower w = {0};
    struct skl_spool *s = skl_spool_new(&loop, dir, "bench", 0, 1000);
    struct skl_error err;
    int64_t start = skl_wall_ns(), worst = 0, lines;

    memset(block, 'x', sizeof(block));
    for (size_t i = 80; i < sizeof(block); i += 81)
        block[i] = '\n';
    for (uint64_t at = 0; at < total; at += size)
        if (skl_spool_append(s, "i", at, SKL_SPOOL_STDOUT, 1, skl_str_n(block, size), &err) < 0)
            die(&err);
    printf("append %5zu bytes      %8.0f MB/s\n", size, (double)total / since_ms(start) / 1e3);
    start = skl_wall_ns();
    skl_spool_read(s, &options, &events, &w);
    while (!w.ended) {
        int64_t turn = skl_wall_ns();

        uv_run(&loop, UV_RUN_NOWAIT);
        turn = skl_wall_ns() - turn;
        worst = turn > worst ? turn : worst;
    }
    printf("read   %5zu bytes      %8.0f MB/s, longest turn %.2f ms\n", size,
           (double)w.bytes / since_ms(start) / 1e3, (double)worst / 1e6);
    start = skl_wall_ns();
    lines = skl_spool_count_lines(s, 0, 0, true, true);
    printf("count lines             %8.1f ms for %lld lines\n", since_ms(start), (long long)lines);
    skl_spool_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    s = skl_spool_new(&loop, dir, "bench", 0, 1000);
    start = skl_wall_ns();
    (void)skl_spool_resume_offset(s, "i");
    printf("recover                 %8.1f ms\n", since_ms(start));
    skl_spool_delete(s);
}

int main(int argc, char **argv)
{
    uint64_t n = 10000, megabytes = 512;

    if ((argc > 1 && !skl_str_u64(skl_str(argv[1]), &n)) ||
        (argc > 2 && !skl_str_u64(skl_str(argv[2]), &megabytes)) || n == 0 || n > 1000000)
        return 2;
    if (uv_loop_init(&loop) < 0 || !mkdtemp(dir))
        return 1;
    bench_store((unsigned)n);
    bench_spool(megabytes, 65536);
    bench_spool(megabytes / 8, 81);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
