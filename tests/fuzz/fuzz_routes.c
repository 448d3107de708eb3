/* The Docker API as a whole: a body, a query and headers for every route that takes JSON, against a daemon whose cloud
 * takes everything. Each request has one answer of a known status, an error has a message, and the daemon lives on.
 *
 * First byte: the route. Second: which container, network or volume the path names. Then a line that is the query, a
 * line that is X-Registry-Auth, and the body. What a registry would be asked for is left out: nobody is dialled.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/log.h"
#include "docker/api/routes.h"

#define RUNS_OF_A_DAEMON 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* -- the cloud */

static void info(void *ctx, struct skl_backend_info *ret)
{
    *ret = (struct skl_backend_info){.driver = "fuzz", .operating_system = "Fuzz", .n_cpus = 1};
}

static void plan(void *ctx, const struct skl_container_snapshot *c, struct skl_labels *cloud)
{
    skl_labels_set(cloud, "job", c->short_id);
}

static bool has_agent(void *ctx, const struct skl_container_spec *spec, const char **why_not)
{
    *why_not = "there is none";
    return false;
}

static int started(void *ctx, struct skl_call *call, struct skl_outcome *ret, struct skl_error *err)
{
    ret->no_agent = true;
    return 0;
}

static int status(void *ctx, struct skl_call *call, struct skl_status *ret, struct skl_error *err)
{
    *ret = (struct skl_status){.status = SKL_RUN_ENDED, .has_exit_code = true};
    return 0;
}

static int removed(void *ctx, struct skl_call *call, struct skl_error *err)
{
    return 0;
}

static const struct skl_backend backend = {
    .name = "fuzz",
    .title = "Fuzz",
    .info = info,
    .plan = plan,
    .has_agent = has_agent,
    .container_start = started,
    .container_status = status,
    .container_stop = status,
    .container_remove = removed,
    .poll_starting_ms = 5,
    .poll_agentless_ms = 5,
    .poll_with_agent_ms = 5,
    .start_timeout_ms = 1000,
    .start_timeout_max_ms = 1000,
};

/* -- the daemon: opened anew now and then, so that what was created does not pile up */

static uv_loop_t loop;
static struct skl_engine *engine;
static struct skl_http_server *api;
static char state_dir[64];
static unsigned runs;

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char child[400];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
        if (unlink(child) < 0)
            remove_tree(child);
    }
    if (d)
        closedir(d);
    (void)rmdir(path);
}

static void add_image(void)
{
    struct skl_image *i = skl_image_new();

    (void)snprintf(i->id, sizeof(i->id), "sha256:%064d", 1);
    skl_strv_push(&i->refs, "busybox:latest");
    i->pull_ref = skl_strdup("busybox:latest");
    i->config_json = skl_strdup("{\"config\":{\"Env\":[\"A=1\"],\"Cmd\":[\"sh\"],"
                                "\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/data\":{}}}}");
    i->os = skl_strdup("linux");
    i->architecture = skl_strdup("amd64");
    SKL_ASSERT(skl_image_add(engine->store, i, &i, NULL) == 0);
}

static void daemon_open(void)
{
    struct skl_engine_settings settings = {
        .state_dir = state_dir, .name = "fuzz", .agent_grace_ms = 1000, .max_workers = 2};

    skl_log_setup(SKL_LOG_ERROR, false, STDERR_FILENO);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/skl-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    SKL_ASSERT(mkdtemp(state_dir) && uv_loop_init(&loop) == 0);
    SKL_ASSERT(skl_engine_open(&loop, &settings, &backend, NULL, &engine, NULL) == 0);
    api = skl_http_server_new(&loop, &(struct skl_http_server_config){
                                         .handler = skl_docker_handle,
                                         .arg = engine,
                                         .extra_headers = skl_docker_headers,
                                         .error_body = skl_docker_error_body,
                                     });
    add_image();
    runs = 0;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void daemon_close(void)
{
    int closed = 0;

    skl_http_server_close(api, 0, count, &closed);
    skl_engine_close(engine, count, &closed);
    while (closed < 2)
        uv_run(&loop, UV_RUN_ONCE);
    uv_run(&loop, UV_RUN_DEFAULT);
    SKL_ASSERT(uv_loop_close(&loop) == 0);
    remove_tree(state_dir);
    engine = NULL;
}

/* -- one request */

static bool is_asked(const struct skl_route *r)
{
    return r->type && strcmp(r->pattern, "/auth") != 0; /* that one is for a registry */
}

static const struct skl_route *route_of(uint8_t number)
{
    size_t count_of = 0, at;

    for (size_t i = 0; i < skl_routes_count; i++)
        count_of += is_asked(&skl_routes[i]);
    at = number % count_of;
    for (size_t i = 0; i < skl_routes_count; i++)
        if (is_asked(&skl_routes[i]) && at-- == 0)
            return &skl_routes[i];
    return NULL;
}

/* The newest of what is there, or a name that is not. */
static const char *subject(const struct skl_route *r, uint8_t which)
{
    static char id[80];
    struct skl_container *c = NULL;

    if (which % 4 == 3)
        return "absent";
    if (strncmp(r->pattern, "/networks", 9) == 0)
        return which & 1 ? "bridge" : "n";
    if (skl_container_find(engine->store, "c", &c, NULL) < 0)
        return "c";
    (void)snprintf(id, sizeof(id), "%s", c->id);
    return id;
}

static void add_header_value(struct skl_buf *b, struct skl_str s)
{
    for (size_t i = 0; i < s.n && i < 4000; i++)
        if ((unsigned char)s.p[i] >= ' ' && (unsigned char)s.p[i] < 0x7f)
            skl_buf_addc(b, s.p[i]);
}

static void make_request(struct skl_buf *b, const uint8_t *data, size_t n)
{
    const struct skl_route *r = route_of(data[0]);
    struct skl_str rest = skl_str_n((const char *)data + 2, n - 2);
    struct skl_str query = skl_str_cut(rest, '\n', &rest), auth = skl_str_cut(rest, '\n', &rest);
    const char *hole = strchr(r->pattern, '{');

    skl_buf_addf(b, "%s ", r->method);
    if (hole)
        skl_buf_addf(b, "%.*s%s%s", (int)(hole - r->pattern), r->pattern, subject(r, data[1]),
                     strchr(hole, '}') + 1);
    else
        skl_buf_adds(b, r->pattern);
    skl_buf_adds(b, "?name=c&");
    for (size_t i = 0; i < query.n && i < 2000; i++)
        if ((unsigned char)query.p[i] > ' ' && (unsigned char)query.p[i] < 0x7f &&
            query.p[i] != '#')
            skl_buf_addc(b, query.p[i]);
    skl_buf_adds(b, " HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
                    "X-Registry-Auth: ");
    add_header_value(b, auth);
    skl_buf_addf(b, "\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", rest.n);
    skl_buf_addstr(b, rest);
}

static void check_answer(struct skl_buf *b)
{
    const char *body = memmem(b->p, b->n, "\r\n\r\n", 4);
    long code = b->n > 12 ? strtol(b->p + 9, NULL, 10) : 0;
    SKL_AUTO_JSON cJSON *json = NULL;

    if (!body || code < 101 || code > 599) {
        (void)fprintf(stderr, "%.*s\n", (int)b->n, b->p);
        abort();
    }
    if (code < 400)
        return;
    SKL_ASSERT(skl_json_parse(skl_str_n(body + 4, (size_t)(b->p + b->n - body) - 4), &json, NULL) ==
               0);
    SKL_ASSERT(skl_json_get_str(json, "message"));
}

static void ask(const uint8_t *data, size_t n)
{
    SKL_AUTO_BUF struct skl_buf request = {0}, answer = {0};
    struct skl_stream *s = NULL;
    char text[65536];
    size_t at = 0;
    int fds[2];

    skl_buf_init(&request, 4u << 20);
    skl_buf_init(&answer, 64u << 20);
    make_request(&request, data, n);
    SKL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    SKL_ASSERT(skl_stream_from_fd(&loop, fds[1], &s, NULL) == 0);
    skl_http_server_add(api, s);
    for (;;) {
        ssize_t k = at < request.n ? send(fds[0], request.p + at, request.n - at, MSG_NOSIGNAL) : 0;

        at += k > 0 ? (size_t)k : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
        k = read(fds[0], text, sizeof(text));
        if (k == 0 || (k < 0 && errno != EAGAIN))
            break;
        if (k > 0)
            skl_buf_add(&answer, text, (size_t)k);
        else if (at == request.n)
            (void)poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 1);
        if (k > 0 && (skl_str_starts(skl_buf_str(&answer), "HTTP/1.1 101") ||
                      memmem(answer.p, answer.n, "vnd.docker", 10)))
            break; /* an exec's stream: it has begun */
    }
    close(fds[0]);
    check_answer(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 4 || n > 65536)
        return 0;
    if (engine && runs >= RUNS_OF_A_DAEMON)
        daemon_close();
    if (!engine)
        daemon_open();
    runs++;
    ask(data, n);
    return 0;
}

/* No leak of a daemon that is still open at the end. */
static __attribute__((destructor)) void end(void)
{
    if (engine)
        daemon_close();
}
