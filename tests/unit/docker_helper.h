/* docker_helper - a daemon without a cloud: engine, fake backend and HTTP server on a socket pair.
 *
 * The fake cloud takes a run at once and says that it runs until it is stopped; it has no agent. Waiting is by
 * condition (net_until), never by time.
 */
#ifndef SKL_TESTS_DOCKER_HELPER_H
#define SKL_TESTS_DOCKER_HELPER_H

#include "net_helper.h"

#include <dirent.h>
#include <stdatomic.h>

#include "base/json_read.h"
#include "docker/engine.h"
#include "net/http_server.h"

/* -- the cloud */

static atomic_int fake_runs; /* what is running there */
static const char *fake_refusal;

static SKL_UNUSED void fake_info(void *ctx, struct skl_backend_info *ret)
{
    *ret = (struct skl_backend_info){
        .driver = "fake", .operating_system = "Fake Cloud", .n_cpus = 3, .memory_bytes = 1 << 30};
    skl_labels_set(&ret->status, "Region", "nowhere");
}

static SKL_UNUSED int fake_check(void *ctx, const struct skl_container_spec *spec,
                                 struct skl_buf *warnings, struct skl_error *err)
{
    if (fake_refusal)
        return skl_fail(err, SKL_E_INVALID, "%s", fake_refusal);
    return 0;
}

static SKL_UNUSED void fake_plan(void *ctx, const struct skl_container_snapshot *c,
                                 struct skl_labels *cloud)
{
    skl_labels_set(cloud, "job", c->short_id);
}

static SKL_UNUSED bool fake_has_agent(void *ctx, const struct skl_container_spec *spec,
                                      const char **why_not)
{
    return false;
}

static SKL_UNUSED int fake_start(void *ctx, struct skl_call *call, struct skl_outcome *ret,
                                 struct skl_error *err)
{
    ret->no_agent = true;
    atomic_store(&fake_runs, 1);
    return 0;
}

static SKL_UNUSED int fake_status(void *ctx, struct skl_call *call, struct skl_status *ret,
                                  struct skl_error *err)
{
    ret->status = atomic_load(&fake_runs) ? SKL_RUN_RUNNING : SKL_RUN_ENDED;
    ret->has_exit_code = true;
    ret->exit_code = 7;
    return 0;
}

static SKL_UNUSED int fake_stop(void *ctx, struct skl_call *call, struct skl_status *ret,
                                struct skl_error *err)
{
    atomic_store(&fake_runs, 0);
    ret->status = SKL_RUN_ENDED;
    ret->has_exit_code = true;
    ret->exit_code = 137;
    return 0;
}

static SKL_UNUSED int fake_remove(void *ctx, struct skl_call *call, struct skl_error *err)
{
    atomic_store(&fake_runs, 0);
    return 0;
}

static const struct skl_backend fake_backend = {
    .name = "fake",
    .title = "Fake Cloud",
    .info = fake_info,
    .check = fake_check,
    .plan = fake_plan,
    .has_agent = fake_has_agent,
    .container_start = fake_start,
    .container_status = fake_status,
    .container_stop = fake_stop,
    .container_remove = fake_remove,
    .poll_starting_ms = 5,
    .poll_agentless_ms = 5,
    .poll_with_agent_ms = 5,
    .start_timeout_ms = 10000,
    .start_timeout_max_ms = 10000,
};

/* -- the daemon */

static struct skl_engine *engine;
static struct skl_http_server *api;
static char state_dir[64];
/* Before docker_begin(): what is not as the fake cloud and the settings below have it. */
static const struct skl_backend *docker_backend = &fake_backend;
static int64_t docker_reap_interval_ms, docker_reap_grace_ms;
static bool docker_reap_dry_run;

static SKL_UNUSED void docker_begin(void)
{
    static char host[] = "127.0.0.1:1"; /* nobody listens there */
    static char *insecure[] = {host, NULL};
    struct skl_error err = {0};

    net_begin();
    fake_refusal = NULL;
    atomic_store(&fake_runs, 0);
    snprintf(state_dir, sizeof(state_dir), "/tmp/skl-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(state_dir));
    const struct skl_engine_settings settings = {
        .state_dir = state_dir,
        .name = "tester",
        .insecure_registries = insecure,
        .agent_grace_ms = 1000,
        .max_workers = 4,
        .max_queued = 1000,
        .max_streams = 1000,
        .reap_interval_ms = docker_reap_interval_ms,
        .reap_grace_ms = docker_reap_grace_ms,
        .reap_dry_run = docker_reap_dry_run,
    };
    ck_assert_msg(skl_engine_open(&net_loop, &settings, docker_backend, NULL, &engine, &err) == 0,
                  "%s", err.msg);
    api = skl_http_server_new(&net_loop, &(struct skl_http_server_config){
                                             .handler = skl_docker_handle,
                                             .arg = engine,
                                             .extra_headers = skl_docker_headers,
                                             .error_body = skl_docker_error_body,
                                         });
}

static SKL_UNUSED void docker_count_down(void *arg)
{
    ++*(int *)arg;
}

static SKL_UNUSED void docker_remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char child[600];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
        if (unlink(child) < 0)
            docker_remove_tree(child);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static SKL_UNUSED void docker_end(void)
{
    int closed = 0;

    skl_http_server_close(api, 0, docker_count_down, &closed);
    net_until(closed == 1);
    skl_engine_close(engine, docker_count_down, &closed);
    net_until(closed == 2);
    net_end();
    docker_remove_tree(state_dir);
}

/* -- a client */

struct answer {
    int status;
    struct skl_buf text; /* header and body as they came */
    const char *body;    /* chunks joined, if it was chunked */
    struct skl_buf joined;
    cJSON *json; /* NULL if the body is none */
};

static SKL_UNUSED int docker_open(void)
{
    int fds[2];

    net_pair(fds);
    skl_http_server_add(api, net_stream(fds[0]));
    return fds[1];
}

static SKL_UNUSED void docker_join_chunks(struct answer *a, const char *body)
{
    for (;;) {
        char *end;
        unsigned long n = strtoul(body, &end, 16);

        if (n == 0)
            break;
        skl_buf_add(&a->joined, end + 2, n);
        body = end + 2 + n + 2;
    }
    a->body = a->joined.p;
}

/* The whole answer has come: by its length, its last chunk, or the end of the connection. */
static SKL_UNUSED bool docker_is_complete(struct skl_buf *b, bool closed, bool head)
{
    const char *end = strstr(b->p, "\r\n\r\n"), *length;

    if (!end)
        return closed;
    if (head || closed || strncmp(b->p + 9, "204", 3) == 0 || strncmp(b->p + 9, "304", 3) == 0)
        return true;
    length = strcasestr(b->p, "\r\nContent-Length: ");
    if (length && length < end)
        return b->n >= (size_t)(end + 4 - b->p) + strtoul(length + 18, NULL, 10);
    return b->n >= 5 && memcmp(b->p + b->n - 5, "0\r\n\r\n", 5) == 0;
}

static SKL_UNUSED struct answer docker_read(int fd, bool head)
{
    struct answer a = {0};
    bool closed = false;
    const char *body;

    skl_buf_init(&a.text, 64u << 20);
    skl_buf_init(&a.joined, 64u << 20);
    net_until((closed = net_read(fd, &a.text), docker_is_complete(&a.text, closed, head)));
    ck_assert_msg(a.text.n > 12, "no answer");
    a.status = (int)strtol(a.text.p + 9, NULL, 10);
    body = strstr(a.text.p, "\r\n\r\n");
    a.body = body ? body + 4 : "";
    if (strcasestr(a.text.p, "Transfer-Encoding: chunked"))
        docker_join_chunks(&a, a.body);
    (void)skl_json_parse(skl_str(a.body), &a.json, NULL);
    return a;
}

static SKL_UNUSED void docker_send(int fd, const char *method, const char *target,
                                   const char *headers, const char *body)
{
    struct skl_buf b;

    skl_buf_init(&b, 64u << 20);
    skl_buf_addf(&b, "%s %s HTTP/1.1\r\nHost: docker\r\n%s", method, target,
                 headers ? headers : "");
    if (body)
        skl_buf_addf(&b, "Content-Length: %zu\r\n", strlen(body));
    skl_buf_addf(&b, "\r\n%s", body ? body : "");
    net_write(fd, b.p, b.n);
    skl_buf_fini(&b);
}

static SKL_UNUSED struct answer docker_call_raw(const char *method, const char *target,
                                                const char *headers, const char *body)
{
    int fd = docker_open();

    docker_send(fd, method, target, headers, body);
    struct answer a = docker_read(fd, strcmp(method, "HEAD") == 0);
    close(fd);
    return a;
}

static SKL_UNUSED struct answer docker_call(const char *method, const char *target,
                                            const char *json)
{
    return docker_call_raw(method, target, json ? "Content-Type: application/json\r\n" : NULL,
                           json);
}

static SKL_UNUSED void answer_fini(struct answer *a)
{
    cJSON_Delete(a->json);
    skl_buf_fini(&a->text);
    skl_buf_fini(&a->joined);
}
#define AUTO_ANSWER __attribute__((cleanup(answer_fini))) struct answer

/* An answer of this status, and no more is wanted of it. */
static SKL_UNUSED void docker_expect(const char *method, const char *target, const char *json,
                                     int status)
{
    AUTO_ANSWER a = docker_call(method, target, json);

    ck_assert_msg(a.status == status, "%s %s: %d %s", method, target, a.status, a.body);
}

/* An error: status and exact text. */
static SKL_UNUSED void docker_refused(const char *method, const char *target, const char *json,
                                      int status, const char *message)
{
    AUTO_ANSWER a = docker_call(method, target, json);
    const char *text = skl_json_get_str(a.json, "message");

    ck_assert_msg(a.status == status, "%s %s: %d %s", method, target, a.status, a.body);
    ck_assert_msg(text && strcmp(text, message) == 0, "%s %s: %s", method, target, a.body);
}

static SKL_UNUSED void docker_add_image(const char *ref, const char *config)
{
    struct skl_image *i = skl_image_new();
    struct skl_error err = {0};
    char hex[65];

    for (size_t n = 0; n < 64; n++)
        hex[n] = "0123456789abcdef"[(n * 7 + (size_t)ref[0] + strlen(ref)) % 16];
    hex[64] = '\0';
    snprintf(i->id, sizeof(i->id), "sha256:%s", hex);
    skl_strv_push(&i->refs, ref);
    i->pull_ref = skl_strdup(ref);
    i->config_json = skl_strdup(config);
    i->os = skl_strdup("linux");
    i->architecture = skl_strdup("amd64");
    ck_assert_msg(skl_image_add(engine->store, i, &i, &err) == 0, "%s", err.msg);
}

/* Creates a container and returns its id. */
static SKL_UNUSED const char *docker_create(const char *query, const char *json)
{
    static char id[65];
    char target[300];

    snprintf(target, sizeof(target), "/containers/create%s", query);
    AUTO_ANSWER a = docker_call("POST", target, json);
    ck_assert_msg(a.status == 201, "%d %s", a.status, a.body);
    snprintf(id, sizeof(id), "%s", skl_json_get_str(a.json, "Id"));
    return id;
}

/* -- what most tests begin with */

#define DOCKER_CONFIG                                                                              \
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=image\",\"B=image\"],"  \
    "\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"WorkingDir\":\"/srv\",\"User\":\"app\","               \
    "\"Labels\":{\"from\":\"image\",\"both\":\"image\"},\"ExposedPorts\":{\"80/tcp\":{}},"         \
    "\"Volumes\":{\"/data\":{}}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:aa\"]},"   \
    "\"history\":[{\"created\":\"2024-01-01T00:00:00Z\",\"created_by\":\"ADD\"},"                  \
    "{\"created\":\"2024-01-02T00:00:00Z\",\"created_by\":\"CMD\"}]}"
#define DOCKER_IMAGE "busybox:latest"

static SKL_UNUSED void docker_setup(void)
{
    docker_begin();
    docker_add_image(DOCKER_IMAGE, DOCKER_CONFIG);
}

static SKL_UNUSED void docker_teardown(void)
{
    docker_end();
}

static SKL_UNUSED const cJSON *at(const cJSON *json, const char *a, const char *b)
{
    const cJSON *item = skl_json_get(json, a);

    return b ? skl_json_get(item, b) : item;
}

static SKL_UNUSED int docker_run(const char *name, TCase *t)
{
    Suite *s = suite_create(name);
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, docker_setup, docker_teardown);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}

#endif
