/* The Docker API over HTTP: lists, details and life of containers. */
#include "docker/containers/health.h"
#include "docker_helper.h"

/* -- list */

START_TEST(lists_show_and_filter_containers)
{
    static const struct {
        const char *query, *names;
    } rows[] = {
        {"", "cc"},
        {"?all=1", "cc,bb,aa"},
        {"?all=True&limit=-1", "cc,bb,aa"},
        {"?limit=2", "cc,bb"},
        {"?all=1&filters={\"name\":[\"^/b\"]}", "bb"},
        {"?all=1&filters={\"label\":{\"k=1\":true}}", "bb,aa"},
        {"?all=1&filters={\"label\":[\"k=1\",\"only\"]}", "aa"},
        {"?filters={\"status\":[\"created\"]}", "bb,aa"},
        {"?all=1&filters={\"before\":[\"bb\"]}", "aa"},
        {"?all=1&filters={\"since\":[\"aa\"]}", "cc,bb"},
        {"?all=1&since=aa", "cc,bb,aa"}, /* a parameter of old times: an Engine does not know it */
        {"?all=1&filters={\"ancestor\":[\"busybox\"]}", "cc,bb,aa"},
        {"?all=1&filters={\"ancestor\":[\"nope\"]}", ""},
        {"?all=1&filters={\"volume\":[\"vol\"]}", "cc"},
        {"?all=1&filters={\"network\":[\"none\"]}", "bb"},
        {"?all=1&filters={\"expose\":[\"80/tcp\"]}", "cc"}, /* ports are of what runs */
        {"?all=1&filters={\"expose\":[\"70-90\"]}", "cc"},
        {"?all=1&filters={\"expose\":[\"80/udp\"]}", ""},
        {"?all=1&filters={\"expose\":[\"81\"]}", ""},
        {"?all=1&filters={\"publish\":[\"0\"]}", "cc"},
        {"?all=1&filters={\"publish\":[\"80\"]}", ""},
        {"?all=1&filters={\"publish\":[\"1\"],\"expose\":[\"80\"]}", "cc"},
        {"?all=1&filters={\"is-task\":[\"false\"]}", "cc,bb,aa"},
        {"?all=1&filters={\"is-task\":[\"true\"]}", ""},
        {"?all=1&filters={\"exited\":[\"0\"]}", ""},
        {"?all=1&filters={\"health\":[\"none\"]}", "cc,bb,aa"},
    };

    docker_create("?name=aa", "{\"Image\":\"busybox\",\"Labels\":{\"k\":\"1\",\"only\":\"\"}}");
    docker_create("?name=bb", "{\"Image\":\"busybox\",\"Labels\":{\"k\":\"1\"},\"HostConfig\":"
                              "{\"NetworkMode\":\"none\"}}");
    docker_create("?name=cc", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"vol:/x\"]}}");
    docker_expect("POST", "/containers/cc/start", NULL, 204);
    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        char target[300];
        struct skl_buf names;
        const cJSON *item;

        snprintf(target, sizeof(target), "/containers/json%s", rows[i].query);
        AUTO_ANSWER a = docker_call("GET", target, NULL);
        ck_assert_msg(a.status == 200, "%s: %s", target, a.body);
        ck_assert(cJSON_IsArray(a.json));
        skl_buf_init(&names, 1000);
        cJSON_ArrayForEach(item, a.json)
            skl_buf_addf(&names, "%s%s", names.n ? "," : "",
                         cJSON_GetArrayItem(skl_json_get(item, "Names"), 0)->valuestring + 1);
        ck_assert_msg(strcmp(names.p, rows[i].names) == 0, "%s: %s", target, names.p);
        skl_buf_fini(&names);
    }
    docker_refused("GET", "/containers/json?filters={\"foo\":[\"x\"]}", NULL, 400,
                   "invalid filter 'foo'");
    docker_refused("GET", "/containers/json?filters={\"status\":[\"a\"]}", NULL, 400,
                   "invalid filter 'status=a'");
    docker_refused("GET", "/containers/json?filters={\"health\":[\"bad\"]}", NULL, 400,
                   "Unrecognised filter value for health: bad");
    docker_refused("GET", "/containers/json?filters={\"exited\":[\"zz\"]}", NULL, 500,
                   "strconv.Atoi: parsing \"zz\": invalid syntax");
    docker_refused("GET", "/containers/json?filters={\"publish\":[\"zz\"]}", NULL, 500,
                   "error while looking up for publish zz: strconv.ParseUint: parsing \"zz\": "
                   "invalid syntax");
    docker_refused("GET", "/containers/json?filters={\"expose\":[\"70000\"]}", NULL, 500,
                   "error while looking up for expose 70000: strconv.ParseUint: parsing "
                   "\"70000\": value out of range");
    docker_refused("GET", "/containers/json?filters={\"expose\":[\"100-1\"]}", NULL, 500,
                   "error while looking up for expose 100-1: Invalid range specified for the Port: "
                   "100-1");
    docker_refused("GET", "/containers/json?filters={\"expose\":[\"/tcp\"]}", NULL, 500,
                   "error while looking up for expose /tcp: Empty string specified for ports.");
    docker_refused("GET", "/containers/json?filters={\"publish\":[\"80:80\"]}", NULL, 500,
                   "filter for 'publish' should not contain ':': 80:80");
}
END_TEST

START_TEST(a_list_entry_has_dockers_shape)
{
    docker_create("?name=shape", "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"exit 3\"]}");
    AUTO_ANSWER a = docker_call("GET", "/containers/json?all=1", NULL);
    const cJSON *c = cJSON_GetArrayItem(a.json, 0);

    ck_assert_str_eq(skl_json_get_str(c, "Command"), "sh -c 'exit 3'");
    ck_assert_str_eq(skl_json_get_str(c, "Image"), "busybox");
    ck_assert_str_eq(skl_json_get_str(c, "State"), "created");
    ck_assert_str_eq(skl_json_get_str(c, "Status"), "Created");
    ck_assert(cJSON_IsArray(skl_json_get(c, "Ports")));
    ck_assert(cJSON_IsArray(skl_json_get(c, "Mounts")));
    ck_assert(cJSON_IsObject(skl_json_get(c, "Labels")));
    ck_assert_str_eq(skl_json_get_str(skl_json_get(c, "HostConfig"), "NetworkMode"), "default");
    ck_assert(cJSON_IsObject(skl_json_get(at(c, "NetworkSettings", "Networks"), "bridge")));
    ck_assert_ptr_null(skl_json_get(c, "SizeRw"));
    /* The name moves on to another image: the entry shows the id. */
    docker_expect("DELETE", "/images/busybox?force=1", NULL, 200);
    AUTO_ANSWER moved = docker_call("GET", "/containers/json?all=1", NULL);
    ck_assert(skl_str_starts(skl_str(skl_json_get_str(cJSON_GetArrayItem(moved.json, 0), "Image")),
                             "sha256:"));
}
END_TEST

START_TEST(containers_are_found_by_id_name_and_prefix)
{
    char target[120], id[65];

    snprintf(id, sizeof(id), "%s", docker_create("?name=f1", "{\"Image\":\"busybox\"}"));
    snprintf(target, sizeof(target), "/containers/%.12s/json", id);
    docker_expect("GET", target, NULL, 200);
    docker_expect("GET", "/containers/f1/json", NULL, 200);
    docker_expect("GET", "/containers/%2Ff1/json", NULL, 200);
    docker_refused("GET", "/containers/nope/json", NULL, 404, "No such container: nope");
}
END_TEST

/* -- life */

static bool is_state(const char *name, const char *state)
{
    char target[120];

    snprintf(target, sizeof(target), "/containers/%s/json", name);
    AUTO_ANSWER a = docker_call("GET", target, NULL);
    return a.status == 200 &&
           skl_streq(skl_json_get_str(skl_json_get(a.json, "State"), "Status"), state);
}

START_TEST(a_container_starts_stops_and_goes)
{
    docker_create("?name=life", "{\"Image\":\"busybox\"}");
    docker_expect("POST", "/containers/life/start", NULL, 204);
    ck_assert(is_state("life", "running"));
    docker_expect("POST", "/containers/life/start", NULL, 304);
    AUTO_ANSWER running = docker_call("GET", "/containers/life/json", NULL);
    const cJSON *bridge = skl_json_get(at(running.json, "NetworkSettings", "Networks"), "bridge");
    ck_assert(skl_str_starts(skl_str(skl_json_get_str(bridge, "IPAddress")), "172.17."));
    ck_assert_int_eq(skl_json_get_int(bridge, "IPPrefixLen", 0), 16);
    ck_assert(cJSON_HasObjectItem(at(running.json, "NetworkSettings", "Ports"), "80/tcp"));
    AUTO_ANSWER refusal = docker_call("DELETE", "/containers/life", NULL);
    ck_assert_int_eq(refusal.status, 409);
    docker_expect("POST", "/containers/life/stop?t=1", NULL, 204);
    ck_assert(is_state("life", "exited"));
    docker_expect("POST", "/containers/life/stop", NULL, 304);
    docker_expect("POST", "/containers/life/rename?name=other", NULL, 204);
    docker_expect("DELETE", "/containers/other?v=1", NULL, 204);
    docker_refused("GET", "/containers/other/json", NULL, 404, "No such container: other");
    ck_assert(skl_list_empty(skl_volume_all(engine->store)));
}
END_TEST

START_TEST(life_cycle_calls_refuse_with_dockers_texts)
{
    char message[300];
    const char *id = docker_create("?name=calls", "{\"Image\":\"busybox\"}");

    snprintf(message, sizeof(message), "Cannot kill container: calls: container %s is not running",
             id);
    docker_refused("POST", "/containers/calls/kill", NULL, 409, message);
    docker_refused("POST", "/containers/none/kill", NULL, 404,
                   "Cannot kill container: none: No such container: none");
    docker_refused("POST", "/containers/calls/kill?signal=FOO", NULL, 400, "Invalid signal: FOO");
    docker_refused("POST", "/containers/calls/rename?name=calls", NULL, 400,
                   "Renaming a container with the same name as its current name");
    docker_refused("POST", "/containers/calls/rename?name=", NULL, 400,
                   "Neither old nor new names may be empty");
    docker_refused("POST", "/containers/calls/wait?condition=x", NULL, 400,
                   "invalid condition: \"x\"");
    docker_refused("POST", "/containers/calls/start", "{\"Binds\":[]}", 400,
                   "starting container with non-empty request body was deprecated since API v1.22 "
                   "and removed in v1.24");
    docker_refused("DELETE", "/containers/none?force=1", NULL, 404, "No such container: none");
}
END_TEST

START_TEST(wait_sends_its_header_before_the_start)
{
    struct skl_buf head;
    int fd;

    docker_create("?name=waited", "{\"Image\":\"busybox\"}");
    fd = docker_open();
    docker_send(fd, "POST", "/containers/waited/wait?condition=next-exit", NULL, NULL);
    skl_buf_init(&head, 10000);
    net_until((net_read(fd, &head), strstr(head.p, "\r\n\r\n") != NULL));
    ck_assert(skl_str_starts(skl_buf_str(&head), "HTTP/1.1 200 "));
    ck_assert_ptr_nonnull(strstr(head.p, "Transfer-Encoding: chunked"));
    docker_expect("POST", "/containers/waited/start", NULL, 204);
    docker_expect("POST", "/containers/waited/kill", NULL, 204);
    net_until((net_read(fd, &head), strstr(head.p, "\"StatusCode\":137") != NULL));
    skl_buf_fini(&head);
    close(fd);
    AUTO_ANSWER after = docker_call("POST", "/containers/waited/wait", NULL);
    ck_assert_int_eq(skl_json_get_int(after.json, "StatusCode", -1), 137);
}
END_TEST

START_TEST(a_client_that_leaves_its_wait_disturbs_nobody)
{
    int fd;

    docker_create("?name=left", "{\"Image\":\"busybox\"}");
    fd = docker_open();
    docker_send(fd, "POST", "/containers/left/wait?condition=removed", NULL, NULL);
    net_spin();
    close(fd);
    net_spin();
    docker_expect("DELETE", "/containers/left", NULL, 204);
}
END_TEST

/* -- update */

static const cJSON *host_of(const cJSON *inspect, const char *name)
{
    return at(inspect, "HostConfig", name);
}

START_TEST(update_changes_the_policy_and_what_was_sent_only)
{
    docker_create("?name=upd", "{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":67108864,"
                               "\"CpuShares\":5}}");
    AUTO_ANSWER u = docker_call("POST", "/containers/upd/update",
                                "{\"Memory\":33554432,\"CpuShares\":0,\"NanoCpus\":1500000000,"
                                "\"RestartPolicy\":{\"Name\":\"on-failure\","
                                "\"MaximumRetryCount\":4}}");
    ck_assert_int_eq(u.status, 200);
    ck_assert_str_eq(u.body, "{\"Warnings\":null}\n");
    AUTO_ANSWER a = docker_call("GET", "/containers/upd/json", NULL);
    ck_assert_int_eq((int)host_of(a.json, "Memory")->valuedouble, 33554432);
    ck_assert_int_eq((int)host_of(a.json, "MemorySwap")->valuedouble, 134217728);
    ck_assert_int_eq((int)host_of(a.json, "CpuShares")->valuedouble, 5);
    ck_assert_int_eq((int)host_of(a.json, "NanoCpus")->valuedouble, 1500000000);
    ck_assert_str_eq(skl_json_get_str(host_of(a.json, "RestartPolicy"), "Name"), "on-failure");
    struct skl_container *c = skl_container_by_name(engine->store, "upd");
    ck_assert_int_eq(c->spec.restart, SKL_RESTART_ON_FAILURE);
    ck_assert_uint_eq(c->spec.restart_max, 4);
    ck_assert_int_eq(c->spec.memory_bytes, 33554432);
    ck_assert_int_eq(c->spec.nano_cpus, 1500000000);
    docker_expect("POST", "/containers/upd/start", NULL, 204);
    AUTO_ANSWER running = docker_call("POST", "/containers/upd/update", "{\"Memory\":67108864}");
    ck_assert_ptr_nonnull(strstr(running.body, "hold from the next start on"));
    AUTO_ANSWER policy =
        docker_call("POST", "/containers/upd/update", "{\"RestartPolicy\":{\"Name\":\"no\"}}");
    ck_assert_str_eq(policy.body, "{\"Warnings\":null}\n");
    docker_expect("DELETE", "/containers/upd?force=1", NULL, 204);
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *message; /* %s: the id */
} update_refusals[] = {
    {"{\"Memory\":1000}", 400, "Minimum memory limit allowed is 6MB"},
    {"{\"Memory\":\"x\"}", 400,
     "invalid JSON: json: cannot unmarshal string into Go struct field UpdateConfig.Memory of type "
     "int64"},
    {"{\"RestartPolicy\":{\"Name\":\"sometimes\"}}", 400, "invalid restart policy 'sometimes'"},
    {"{\"CpuQuota\":1000}", 409,
     "Cannot update container %s: Conflicting options: CPU Quota cannot be updated as NanoCPUs "
     "has already been set"},
    {"{\"Memory\":1073741824}", 409,
     "Cannot update container %s: Memory limit should be smaller than already set memoryswap "
     "limit, update the memoryswap at the same time"},
};

START_TEST(update_refuses_as_an_engine_and_changes_nothing)
{
    const char *id = docker_create("?name=refuse", "{\"Image\":\"busybox\",\"HostConfig\":{"
                                                   "\"Memory\":67108864,\"NanoCpus\":1000000000}}");
    char message[400];
    AUTO_ANSWER before = docker_call("GET", "/containers/refuse/json", NULL);

    snprintf(message, sizeof(message), "%s", update_refusals[_i].message);
    if (strstr(message, "%s"))
        snprintf(message, sizeof(message), "Cannot update container %s%s", id,
                 strstr(update_refusals[_i].message, "%s") + 2);
    docker_refused("POST", "/containers/refuse/update", update_refusals[_i].body,
                   update_refusals[_i].status, message);
    AUTO_ANSWER after = docker_call("GET", "/containers/refuse/json", NULL);
    ck_assert_str_eq(before.body, after.body);
}
END_TEST

START_TEST(update_gives_no_policy_to_what_removes_itself)
{
    const char *id = docker_create("?name=auto", "{\"Image\":\"busybox\",\"HostConfig\":{"
                                                 "\"AutoRemove\":true}}");
    char message[300];

    snprintf(message, sizeof(message),
             "Cannot update container %s: Restart policy cannot be updated because AutoRemove is "
             "enabled for the container",
             id);
    docker_refused("POST", "/containers/auto/update", "{\"RestartPolicy\":{\"Name\":\"always\"}}",
                   409, message);
    docker_refused("POST", "/containers/nobody/update", "{}", 404, "No such container: nobody");
}
END_TEST

/* -- health checks without an agent */

START_TEST(a_check_that_nothing_can_run_is_warned_about)
{
    AUTO_ANSWER a = docker_call("POST", "/containers/create?name=healthy",
                                "{\"Image\":\"busybox\",\"Healthcheck\":{\"Test\":[\"CMD\","
                                "\"true\"]}}");
    AUTO_ANSWER none = docker_call("POST", "/containers/create",
                                   "{\"Image\":\"busybox\",\"Healthcheck\":{\"Test\":[\"NONE\"]}}");

    ck_assert_ptr_nonnull(strstr(a.body, "The health check is recorded, but not run: "));
    ck_assert_ptr_null(strstr(none.body, "health"));
    docker_expect("POST", "/containers/healthy/start", NULL, 204);
    AUTO_ANSWER i = docker_call("GET", "/containers/healthy/json", NULL);
    ck_assert(!cJSON_HasObjectItem(skl_json_get(i.json, "State"), "Health"));
    docker_expect("DELETE", "/containers/healthy?force=1", NULL, 204);
}
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} durations[] = {
    {1000000, "1ms"},          {1500000, "1.5ms"},
    {700000000, "700ms"},      {1000000000, "1s"},
    {30000000000, "30s"},      {1250000000, "1.25s"},
    {90000000000, "1m30s"},    {60000000000, "1m0s"},
    {3600000000000, "1h0m0s"}, {3661500000000, "1h1m1.5s"},
};

START_TEST(durations_are_printed_as_go_does)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 100);
    skl_health_duration(&b, durations[_i].ns);
    ck_assert_str_eq(b.p, durations[_i].text);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("all");

    tcase_add_test(t, lists_show_and_filter_containers);
    tcase_add_test(t, a_list_entry_has_dockers_shape);
    tcase_add_test(t, containers_are_found_by_id_name_and_prefix);
    tcase_add_test(t, a_container_starts_stops_and_goes);
    tcase_add_test(t, life_cycle_calls_refuse_with_dockers_texts);
    tcase_add_test(t, wait_sends_its_header_before_the_start);
    tcase_add_test(t, a_client_that_leaves_its_wait_disturbs_nobody);
    tcase_add_test(t, update_changes_the_policy_and_what_was_sent_only);
    tcase_add_loop_test(t, update_refuses_as_an_engine_and_changes_nothing, 0,
                        SKL_ARRAY_LEN(update_refusals));
    tcase_add_test(t, update_gives_no_policy_to_what_removes_itself);
    tcase_add_test(t, a_check_that_nothing_can_run_is_warned_about);
    tcase_add_loop_test(t, durations_are_printed_as_go_does, 0, SKL_ARRAY_LEN(durations));
    return docker_run("docker_life", t);
}
