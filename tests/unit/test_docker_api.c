/* The Docker API over HTTP: routing, errors, containers, images, networks, volumes, events. */
#include "docker_helper.h"

#define CONFIG                                                                                     \
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=image\",\"B=image\"],"  \
    "\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"WorkingDir\":\"/srv\",\"User\":\"app\","               \
    "\"Labels\":{\"from\":\"image\",\"both\":\"image\"},\"ExposedPorts\":{\"80/tcp\":{}},"         \
    "\"Volumes\":{\"/data\":{}}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:aa\"]},"   \
    "\"history\":[{\"created\":\"2024-01-01T00:00:00Z\",\"created_by\":\"ADD\"},"                  \
    "{\"created\":\"2024-01-02T00:00:00Z\",\"created_by\":\"CMD\"}]}"
#define IMAGE "busybox:latest"

static void setup(void)
{
    docker_begin();
    docker_add_image(IMAGE, CONFIG);
}

static void teardown(void)
{
    docker_end();
}

static const cJSON *at(const cJSON *json, const char *a, const char *b)
{
    const cJSON *item = skl_json_get(json, a);

    return b ? skl_json_get(item, b) : item;
}

/* -- routing */

START_TEST(ping_answers_ok_with_the_versions_headers)
{
    static const char *const targets[] = {"/_ping", "/v1.44/_ping"};

    for (size_t i = 0; i < 2; i++) {
        AUTO_ANSWER a = docker_call("GET", targets[i], NULL);

        ck_assert_int_eq(a.status, 200);
        ck_assert_str_eq(a.body, "OK");
        ck_assert_ptr_nonnull(strstr(a.text.p, "\r\nApi-Version: 1.44\r\n"));
        ck_assert_ptr_nonnull(strstr(a.text.p, "\r\nOstype: linux\r\n"));
        ck_assert_ptr_nonnull(strstr(a.text.p, "\r\nDocker-Experimental: false\r\n"));
        ck_assert_ptr_nonnull(strstr(a.text.p, "\r\nBuilder-Version: 1\r\n"));
        ck_assert_ptr_nonnull(strstr(a.text.p, "\r\nSwarm: inactive\r\n"));
    }
    AUTO_ANSWER head = docker_call("HEAD", "/_ping", NULL);
    ck_assert_int_eq(head.status, 200);
    ck_assert_str_eq(head.body, "");
}
END_TEST

START_TEST(unknown_pages_and_wrong_methods_are_not_found)
{
    static const char *const rows[][2] = {
        {"GET", "/"},        {"GET", "/v1.41"},
        {"GET", "/nothing"}, {"POST", "/info"},
        {"GET", "/vx/info"}, {"DELETE", "/containers/json/x/y/start"},
        {"PUT", "/version"}, {"GET", "/containers/a/start"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++)
        if (strcmp(rows[i][0], "DELETE") != 0)
            docker_refused(rows[i][0], rows[i][1], NULL, 404, "page not found");
}
END_TEST

START_TEST(old_and_new_versions_are_refused_newer_clients_are_served)
{
    AUTO_ANSWER old = docker_call("GET", "/v1.10/info", NULL);

    ck_assert_int_eq(old.status, 400);
    ck_assert_str_eq(old.body,
                     "client version 1.10 is too old. Minimum supported API version is 1.24, "
                     "please upgrade your client to a newer version\n");
    docker_refused("GET", "/v1.99/info", NULL, 400,
                   "client version 1.99 is too new. Maximum supported API version is 1.44");
    docker_refused("GET", "/v2.0/info", NULL, 400,
                   "client version 2.0 is too new. Maximum supported API version is 1.44");
    docker_expect("GET", "/v1.55/info", NULL, 200);
    docker_expect("GET", "/v1.24/info", NULL, 200);
    docker_expect("GET", "/info", NULL, 200);
}
END_TEST

START_TEST(double_slashes_are_redirected_and_options_are_fine)
{
    AUTO_ANSWER a = docker_call("GET", "//containers///json?all=1", NULL);

    ck_assert_int_eq(a.status, 301);
    ck_assert_ptr_nonnull(strstr(a.text.p, "\r\nLocation: /containers/json?all=1\r\n"));
    docker_expect("OPTIONS", "/anything", NULL, 200);
}
END_TEST

START_TEST(json_bodies_are_checked_as_docker_does)
{
    AUTO_ANSWER type =
        docker_call_raw("POST", "/networks/create", "Content-Type: text/plain\r\n", "{}");

    ck_assert_int_eq(type.status, 400);
    ck_assert_str_eq(skl_json_get_str(type.json, "message"),
                     "unsupported Content-Type header (text/plain): must be 'application/json'");
    AUTO_ANSWER charset =
        docker_call_raw("POST", "/networks/create",
                        "Content-Type: application/json; charset=utf-8\r\n", "{\"Name\":\"n\"}");
    ck_assert_int_eq(charset.status, 201);
    docker_refused("POST", "/containers/create", NULL, 400,
                   "invalid JSON: got EOF while reading request body");
    docker_refused("POST", "/networks/create", "{\"Name\":\"a\"} x", 400,
                   "unexpected content after JSON");
    AUTO_ANSWER bad = docker_call("POST", "/containers/create", "{\"Image\":");
    ck_assert_int_eq(bad.status, 400);
    ck_assert(skl_str_starts(skl_str(skl_json_get_str(bad.json, "message")), "invalid JSON: "));
    docker_refused("POST", "/containers/create", "[]", 400,
                   "invalid JSON: the body must be an object");
}
END_TEST

START_TEST(what_is_not_there_yet_says_so)
{
    docker_refused("GET", "/v1.44/containers/x/top", NULL, 501,
                   "GET /containers/x/top is not supported yet by the fake backend");
    docker_refused("POST", "/build?t=x", NULL, 501,
                   "POST /build is not supported yet by the fake backend");
    docker_refused("GET", "/services", NULL, 503,
                   "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                   "join\" to connect this node to swarm and try again.");
    docker_refused("GET", "/plugins/x/json", NULL, 404, "plugin \"x\" not found");
}
END_TEST

START_TEST(version_and_info_have_what_clients_parse)
{
    AUTO_ANSWER v = docker_call("GET", "/version", NULL);
    AUTO_ANSWER i = docker_call("GET", "/info", NULL);
    static const char *const keys[] = {"ID",
                                       "Containers",
                                       "Driver",
                                       "DriverStatus",
                                       "Plugins",
                                       "OSType",
                                       "Architecture",
                                       "NCPU",
                                       "MemTotal",
                                       "Name",
                                       "ServerVersion",
                                       "Runtimes",
                                       "Swarm",
                                       "SecurityOptions",
                                       "IndexServerAddress",
                                       "RegistryConfig",
                                       "SystemTime"};

    ck_assert_str_eq(skl_json_get_str(v.json, "ApiVersion"), "1.44");
    ck_assert_str_eq(skl_json_get_str(v.json, "MinAPIVersion"), "1.24");
    ck_assert_str_eq(skl_json_get_str(v.json, "Os"), "linux");
    for (size_t k = 0; k < SKL_ARRAY_LEN(keys); k++)
        ck_assert_msg(skl_json_get(i.json, keys[k]) != NULL, "%s", keys[k]);
    ck_assert_str_eq(skl_json_get_str(i.json, "OperatingSystem"), "Fake Cloud");
    ck_assert_int_eq(skl_json_get_int(i.json, "NCPU", 0), 3);
    ck_assert_int_eq(skl_json_get_int(i.json, "Images", 0), 1);
    ck_assert_str_eq(
        cJSON_GetArrayItem(cJSON_GetArrayItem(skl_json_get(i.json, "DriverStatus"), 0), 1)
            ->valuestring,
        "nowhere");
}
END_TEST

/* -- create */

static const struct {
    const char *query, *body;
    int status;
    const char *message;
} refused[] = {
    {"", "{\"Image\":\"nope\"}", 404, "No such image: nope:latest"},
    {"", "{}", 400, "no image specified"},
    {"", "{\"Image\":\"NOPE\"}", 400,
     "invalid reference format: repository name (library/NOPE) must be lowercase"},
    {"?name=h3!", "{\"Image\":\"busybox\"}", 400,
     "Invalid container name (h3!), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
    {"", "{\"Image\":\"busybox\",\"WorkingDir\":\"x\"}", 400,
     "the working directory 'x' is invalid, it needs to be an absolute path"},
    {"", "{\"Image\":\"busybox\",\"Env\":[\"=x\"]}", 400, "invalid environment variable: =***"},
    {"", "{\"Image\":\"busybox\",\"ExposedPorts\":{\"x\":{}}}", 400,
     "invalid port specification: \"x\""},
    {"", "{\"Image\":\"busybox\",\"Tty\":\"yes\"}", 400,
     "invalid JSON: cannot unmarshal string into field Config.Tty of type bool"},
    {"", "{\"Image\":\"busybox\",\"StopSignal\":\"FOO\"}", 400, "Invalid signal: FOO"},
    {"", "{\"Image\":\"busybox\",\"Healthcheck\":{\"Interval\":5}}", 400,
     "Interval in Healthcheck cannot be less than 1ms"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"x\"}}}", 400,
     "invalid restart policy 'x'"},
    {"",
     "{\"Image\":\"busybox\",\"HostConfig\":{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":"
     "\"always\"}}}",
     400, "can't create 'AutoRemove' container with restart policy"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"vv:/\"]}}", 400,
     "invalid volume specification: 'vv:/': invalid specification: destination can't be '/'"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"vv:/x:q\"]}}", 400,
     "invalid mode: q"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"vv:/x\",\"ww:/x/\"]}}", 400,
     "Duplicate mount point: /x"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"/src:/x\"]}}", 501,
     "bind mounts of host paths are not available on Fake Cloud: use a volume or docker cp instead "
     "of '/src'"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"/var/run/docker.sock:/s\"]}}", 501,
     "the Docker socket cannot be mounted into a container on Fake Cloud: give the container "
     "DOCKER_HOST with a TCP address of this daemon instead"},
    {"",
     "{\"Image\":\"busybox\",\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\","
     "\"Target\":\"/b\",\"VolumeOptions\":{}}]}}",
     400, "VolumeOptions must not be specified on mount type \"bind\""},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"nonet\"}}", 404,
     "network nonet not found"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":4096}}", 400,
     "Minimum memory limit allowed is 6MB"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"VolumeDriver\":\"x\"}}", 404,
     "error looking up volume plugin x: plugin \"x\" not found"},
    {"",
     "{\"Image\":\"busybox\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":"
     "\"a\"}]}}}",
     400, "invalid port specification: \"a\""},
    {"?platform=linux/arm64", "{\"Image\":\"busybox\"}", 404,
     "image with reference busybox was found but does not match the specified platform: wanted "
     "linux/arm64, actual: linux/amd64"},
};

START_TEST(create_refuses_with_dockers_texts)
{
    char target[200];

    snprintf(target, sizeof(target), "/containers/create%s", refused[_i].query);
    docker_refused("POST", target, refused[_i].body, refused[_i].status, refused[_i].message);
    ck_assert(skl_list_empty(skl_container_all(engine->store)));
    ck_assert(skl_list_empty(skl_volume_all(engine->store)));
}
END_TEST

START_TEST(several_endpoints_need_api_1_44)
{
    docker_expect("POST", "/networks/create", "{\"Name\":\"n1\"}", 201);
    docker_expect("POST", "/networks/create", "{\"Name\":\"n2\"}", 201);
    static const char body[] = "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"n1\"},"
                               "\"NetworkingConfig\":{\"EndpointsConfig\":{\"n2\":{},\"n1\":"
                               "{\"Aliases\":[\"x\"]}}}}";
    docker_refused("POST", "/v1.43/containers/create", body, 400,
                   "Container cannot be created with multiple network endpoints: n1, n2");
    AUTO_ANSWER a = docker_call("POST", "/containers/create?name=two", body);
    ck_assert_int_eq(a.status, 201);
    AUTO_ANSWER i = docker_call("GET", "/containers/two/json", NULL);
    const cJSON *networks = at(i.json, "NetworkSettings", "Networks");
    ck_assert_int_eq(cJSON_GetArraySize(networks), 2);
    ck_assert_str_eq(cJSON_GetArrayItem(at(networks, "n1", "Aliases"), 0)->valuestring, "x");
}
END_TEST

START_TEST(a_refusal_of_the_backend_is_the_answer)
{
    fake_refusal = "too big for this cloud";
    docker_refused("POST", "/containers/create", "{\"Image\":\"busybox\"}", 400,
                   "too big for this cloud");
}
END_TEST

START_TEST(the_image_fills_what_the_user_left_out)
{
    docker_create("?name=merged", "{\"Image\":\"busybox\",\"Env\":[\"B=user\",\"C=user\"],"
                                  "\"Labels\":{\"both\":\"user\"}}");
    AUTO_ANSWER a = docker_call("GET", "/containers/merged/json", NULL);
    const cJSON *config = skl_json_get(a.json, "Config");
    SKL_AUTO_STR char *env = skl_json_text(skl_json_get(config, "Env"));

    ck_assert_str_eq(env, "[\"B=user\",\"C=user\",\"A=image\"]");
    ck_assert_str_eq(skl_json_get_str(config, "WorkingDir"), "/srv");
    ck_assert_str_eq(skl_json_get_str(config, "User"), "app");
    ck_assert_str_eq(skl_json_get_str(skl_json_get(config, "Labels"), "both"), "user");
    ck_assert_str_eq(skl_json_get_str(skl_json_get(config, "Labels"), "from"), "image");
    ck_assert_str_eq(skl_json_get_str(a.json, "Path"), "sh");
    ck_assert_str_eq(skl_json_get_str(config, "Image"), "busybox");
    ck_assert_int_eq(strlen(skl_json_get_str(config, "Hostname")), 12);
    ck_assert_ptr_nonnull(at(config, "ExposedPorts", "80/tcp"));
}
END_TEST

START_TEST(an_entrypoint_drops_the_images_command)
{
    static const struct {
        const char *body, *path, *args;
    } rows[] = {
        {"{\"Image\":\"e\",\"Cmd\":[\"x\",\"y\"]}", "entry", "[\"-e\",\"x\",\"y\"]"},
        {"{\"Image\":\"e\",\"Entrypoint\":[\"mine\"]}", "mine", "[]"},
        {"{\"Image\":\"e\",\"Entrypoint\":[\"\"],\"Cmd\":[\"x\"]}", "x", "[]"},
        {"{\"Image\":\"e\"}", "entry", "[\"-e\",\"dflt\"]"},
        {"{\"Image\":\"e\",\"Cmd\":\"sleep 3\"}", "entry", "[\"-e\",\"sleep 3\"]"},
        {"{\"Image\":\"e\",\"Entrypoint\":[],\"Cmd\":[\"z\"]}", "z", "[]"},
    };

    docker_add_image("e:latest",
                     "{\"config\":{\"Entrypoint\":[\"entry\",\"-e\"],\"Cmd\":[\"dflt\"]}}");
    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        char target[100];

        snprintf(target, sizeof(target), "/containers/%s/json", docker_create("", rows[i].body));
        AUTO_ANSWER a = docker_call("GET", target, NULL);
        SKL_AUTO_STR char *args = skl_json_text(skl_json_get(a.json, "Args"));
        ck_assert_msg(strcmp(skl_json_get_str(a.json, "Path"), rows[i].path) == 0, "%s",
                      rows[i].body);
        ck_assert_str_eq(args, rows[i].args);
    }
    docker_add_image("empty:latest", "{\"config\":{}}");
    docker_refused("POST", "/containers/create", "{\"Image\":\"empty\"}", 400,
                   "no command specified");
}
END_TEST

START_TEST(what_was_sent_is_shown_again_with_dockers_defaults)
{
    docker_create(
        "?name=kept",
        "{\"Image\":\"busybox\",\"hostconfig\":{\"memory\":536870912,\"CapAdd\":[\"NET\"],"
        "\"Binds\":[\"vol1:/v:ro\"],\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"0\"}]},"
        "\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":2}]},\"Volumes\":{\"/w\":{}}}");
    AUTO_ANSWER a = docker_call("GET", "/containers/kept/json", NULL);
    const cJSON *host = skl_json_get(a.json, "HostConfig"), *mount;
    unsigned anonymous = 0;

    ck_assert_int_eq(skl_json_get_int(host, "Memory", 0), 536870912);
    ck_assert_int_eq(skl_json_get_int(host, "MemorySwap", 0), 1073741824);
    ck_assert_str_eq(skl_json_get_str(skl_json_get(host, "LogConfig"), "Type"), "json-file");
    ck_assert_str_eq(skl_json_get_str(skl_json_get(host, "RestartPolicy"), "Name"), "no");
    ck_assert_int_eq(skl_json_get_int(host, "ShmSize", 0), 67108864);
    ck_assert_str_eq(skl_json_get_str(host, "NetworkMode"), "default");
    ck_assert(cJSON_IsNull(cJSON_GetObjectItem(host, "PidsLimit")));
    ck_assert_str_eq(
        skl_json_get_str(cJSON_GetArrayItem(at(host, "PortBindings", "80/tcp"), 0), "HostPort"),
        "0");
    ck_assert_ptr_null(cJSON_GetObjectItem(host, "Mounts"));
    ck_assert_int_eq(cJSON_GetArraySize(skl_json_get(a.json, "Mounts")), 3);
    cJSON_ArrayForEach(mount, skl_json_get(a.json, "Mounts"))
    {
        const char *to = skl_json_get_str(mount, "Destination");

        if (skl_streq(to, "/v")) {
            ck_assert_str_eq(skl_json_get_str(mount, "Name"), "vol1");
            ck_assert(!skl_json_get_bool(mount, "RW", true));
        } else {
            ck_assert_int_eq(strlen(skl_json_get_str(mount, "Name")), 64);
            anonymous++;
        }
    }
    ck_assert_int_eq(anonymous, 2);
    ck_assert_str_eq(skl_json_get_str(skl_json_get(a.json, "State"), "StartedAt"),
                     "0001-01-01T00:00:00Z");
    ck_assert_str_eq(skl_json_get_str(a.json, "Name"), "/kept");
}
END_TEST

START_TEST(warnings_name_what_has_no_effect)
{
    AUTO_ANSWER a = docker_call("POST", "/containers/create",
                                "{\"Image\":\"busybox\",\"HostConfig\":{\"CapAdd\":[\"X\"],"
                                "\"SecurityOpt\":[\"y\"]}}");
    AUTO_ANSWER none = docker_call("POST", "/containers/create",
                                   "{\"Image\":\"busybox\",\"HostConfig\":{\"MemorySwappiness\":-1,"
                                   "\"PidsLimit\":0,\"ConsoleSize\":[0,0],\"RestartPolicy\":"
                                   "{\"Name\":\"no\",\"MaximumRetryCount\":0},\"CapAdd\":null,"
                                   "\"IpcMode\":\"\",\"OomKillDisable\":false}}");

    ck_assert_int_eq(a.status, 201);
    ck_assert_str_eq(cJSON_GetArrayItem(skl_json_get(a.json, "Warnings"), 0)->valuestring,
                     "Recorded, but without effect here: CapAdd, SecurityOpt.");
    ck_assert_int_eq(none.status, 201);
    ck_assert(cJSON_IsArray(skl_json_get(none.json, "Warnings")));
    ck_assert_int_eq(cJSON_GetArraySize(skl_json_get(none.json, "Warnings")), 0);
}
END_TEST

START_TEST(a_taken_name_conflicts_and_leaves_no_volume)
{
    char message[400];
    const char *id = docker_create("?name=web", "{\"Image\":\"busybox\",\"Entrypoint\":[\"x\"]}");
    size_t volumes = 0;
    struct skl_list *it;

    snprintf(message, sizeof(message),
             "Conflict. The container name \"/web\" is already in use by container \"%s\". You "
             "have to remove (or rename) that container to be able to reuse that name.",
             id);
    docker_refused("POST", "/containers/create?name=/web", "{\"Image\":\"busybox\"}", 409, message);
    skl_list_foreach (it, skl_volume_all(engine->store))
        volumes++;
    ck_assert_int_eq(volumes, 1);
}
END_TEST

/* -- list */

START_TEST(lists_show_and_filter_containers)
{
    static const struct {
        const char *query, *names;
    } rows[] = {
        {"", ""},
        {"?all=1", "cc,bb,aa"},
        {"?all=True&limit=-1", "cc,bb,aa"},
        {"?limit=2", "cc,bb"},
        {"?all=1&filters={\"name\":[\"^/b\"]}", "bb"},
        {"?all=1&filters={\"label\":{\"k=1\":true}}", "bb,aa"},
        {"?all=1&filters={\"label\":[\"k=1\",\"only\"]}", "aa"},
        {"?filters={\"status\":[\"created\"]}", "cc,bb,aa"},
        {"?all=1&filters={\"before\":[\"bb\"]}", "aa"},
        {"?all=1&since=aa", "cc,bb"},
        {"?all=1&filters={\"ancestor\":[\"busybox\"]}", "cc,bb,aa"},
        {"?all=1&filters={\"ancestor\":[\"nope\"]}", ""},
        {"?all=1&filters={\"volume\":[\"vol\"]}", "cc"},
        {"?all=1&filters={\"network\":[\"none\"]}", "bb"},
        {"?all=1&filters={\"expose\":[\"80/tcp\"]}", "cc,bb,aa"},
        {"?all=1&filters={\"expose\":[\"81\"]}", ""},
        {"?all=1&filters={\"exited\":[\"0\"]}", ""},
        {"?all=1&filters={\"health\":[\"none\"]}", "cc,bb,aa"},
    };

    docker_create("?name=aa", "{\"Image\":\"busybox\",\"Labels\":{\"k\":\"1\",\"only\":\"\"}}");
    docker_create("?name=bb", "{\"Image\":\"busybox\",\"Labels\":{\"k\":\"1\"},\"HostConfig\":"
                              "{\"NetworkMode\":\"none\"}}");
    docker_create("?name=cc", "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"vol:/x\"]}}");
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

/* -- images */

START_TEST(images_are_listed_inspected_tagged_and_removed)
{
    AUTO_ANSWER list = docker_call("GET", "/images/json", NULL);
    const cJSON *item = cJSON_GetArrayItem(list.json, 0);

    ck_assert_int_eq(cJSON_GetArraySize(list.json), 1);
    ck_assert_str_eq(cJSON_GetArrayItem(skl_json_get(item, "RepoTags"), 0)->valuestring, IMAGE);
    ck_assert(cJSON_IsArray(skl_json_get(item, "RepoDigests")));
    docker_expect("POST", "/images/busybox/tag?repo=reg.example.com/a/b&tag=1", NULL, 201);
    AUTO_ANSWER i = docker_call("GET", "/images/reg.example.com/a/b:1/json", NULL);
    ck_assert_int_eq(i.status, 200);
    ck_assert_str_eq(skl_json_get_str(i.json, "Os"), "linux");
    ck_assert_str_eq(skl_json_get_str(skl_json_get(i.json, "Config"), "WorkingDir"), "/srv");
    ck_assert_int_eq(cJSON_GetArraySize(at(i.json, "RootFS", "Layers")), 1);
    AUTO_ANSWER encoded = docker_call("GET", "/images/reg.example.com%2Fa%2Fb%3A1/json", NULL);
    ck_assert_int_eq(encoded.status, 200);
    AUTO_ANSWER history = docker_call("GET", "/images/busybox/history", NULL);
    ck_assert_str_eq(skl_json_get_str(cJSON_GetArrayItem(history.json, 0), "CreatedBy"), "CMD");
    ck_assert_str_eq(skl_json_get_str(cJSON_GetArrayItem(history.json, 1), "Id"), "<missing>");
    AUTO_ANSWER untagged = docker_call("DELETE", "/images/busybox", NULL);
    ck_assert_str_eq(untagged.body, "[{\"Untagged\":\"busybox:latest\"}]\n");
    AUTO_ANSWER deleted = docker_call("DELETE", "/images/reg.example.com/a/b:1", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(deleted.json), 2);
    docker_refused("GET", "/images/busybox/json", NULL, 404, "No such image: busybox:latest");
    docker_refused("POST", "/images/busybox/tag?repo=x", NULL, 404,
                   "No such image: busybox:latest");
}
END_TEST

START_TEST(an_image_in_use_is_kept)
{
    char message[300];
    struct skl_image *i = skl_image_find(engine->store, IMAGE);
    const char *id = docker_create("?name=user", "{\"Image\":\"busybox\"}");

    snprintf(message, sizeof(message),
             "conflict: unable to remove repository reference \"busybox\" (must force) - container "
             "%.12s is using its referenced image %.12s",
             id, i->id + 7);
    docker_refused("DELETE", "/images/busybox", NULL, 409, message);
    docker_expect("POST", "/images/busybox/tag?repo=other", NULL, 201);
    snprintf(message, sizeof(message),
             "conflict: unable to delete %.12s (must be forced) - image is referenced in multiple "
             "repositories",
             i->id + 7);
    char target[120];
    snprintf(target, sizeof(target), "/images/%s", i->id);
    docker_refused("DELETE", target, NULL, 409, message);
}
END_TEST

START_TEST(a_registry_that_cannot_be_reached_leaves_a_marked_image)
{
    AUTO_ANSWER a = docker_call("POST", "/images/create?fromImage=127.0.0.1:1/x/y&tag=2", NULL);
    const char *last;

    ck_assert_msg(a.status == 200, "%s", a.body);
    ck_assert(
        skl_str_starts(skl_str(a.body), "{\"status\":\"Pulling from x/y\",\"id\":\"2\"}\r\n"));
    last = strstr(a.body, "{\"status\":\"Status: ");
    ck_assert_str_eq(last, "{\"status\":\"Status: Downloaded newer image for 127.0.0.1:1/x/y:2\"}"
                           "\r\n");
    AUTO_ANSWER i = docker_call("GET", "/images/127.0.0.1:1/x/y:2/json", NULL);
    ck_assert_str_eq(skl_json_get_str(at(i.json, "Config", "Labels"), "sockerless.synthetic"),
                     "true");
    ck_assert_int_eq(cJSON_GetArraySize(skl_json_get(i.json, "RepoDigests")), 0);
    AUTO_ANSWER again = docker_call("POST", "/images/create?fromImage=127.0.0.1:1/x/y:2", NULL);
    ck_assert_ptr_nonnull(strstr(again.body, "Status: Image is up to date for"));
    /* Nothing is guessed about a command. */
    AUTO_ANSWER none =
        docker_call("POST", "/containers/create", "{\"Image\":\"127.0.0.1:1/x/y:2\"}");
    ck_assert_int_eq(none.status, 400);
    docker_create("", "{\"Image\":\"127.0.0.1:1/x/y:2\",\"Entrypoint\":[\"sh\"]}");
}
END_TEST

START_TEST(a_bad_reference_is_refused_before_any_registry_is_asked)
{
    docker_refused("POST", "/images/create?fromImage=UPPER", NULL, 400,
                   "invalid reference format: repository name (library/UPPER) must be lowercase");
    docker_refused("POST", "/images/create?fromImage=x&tag=a%20b", NULL, 400, "invalid tag format");
}
END_TEST

/* -- networks, volumes */

START_TEST(networks_are_made_shown_connected_and_removed)
{
    AUTO_ANSWER made =
        docker_call("POST", "/networks/create",
                    "{\"Name\":\"net1\",\"Labels\":{\"a\":\"b\"},\"IPAM\":{\"Config\":"
                    "[{\"Subnet\":\"10.9.0.0/24\",\"Gateway\":\"10.9.0.1\"}]}}");
    ck_assert_int_eq(made.status, 201);
    AUTO_ANSWER n = docker_call("GET", "/networks/net1", NULL);
    ck_assert_str_eq(skl_json_get_str(n.json, "Driver"), "bridge");
    ck_assert_str_eq(
        skl_json_get_str(cJSON_GetArrayItem(at(n.json, "IPAM", "Config"), 0), "Subnet"),
        "10.9.0.0/24");
    docker_refused("POST", "/networks/create", "{\"Name\":\"net1\"}", 409,
                   "network with name net1 already exists");
    docker_refused("POST", "/networks/create", "{\"Name\":\"host\"}", 403,
                   "operation is not permitted on predefined host network ");
    docker_refused("POST", "/networks/create", "{\"Name\":\"x\",\"Driver\":\"bogus\"}", 404,
                   "plugin \"bogus\" not found");
    docker_refused("POST", "/networks/create", "{\"Name\":\"\"}", 400, "invalid name: ");
    docker_refused("DELETE", "/networks/none", NULL, 403,
                   "none is a pre-defined network and cannot be removed");
    docker_refused("GET", "/networks/zzz", NULL, 404, "network zzz not found");
    docker_create("?name=member", "{\"Image\":\"busybox\"}");
    docker_refused("POST", "/networks/zzz/connect", "{\"Container\":\"nobody\"}", 404,
                   "No such container: nobody");
    docker_expect("POST", "/networks/net1/connect",
                  "{\"Container\":\"member\",\"EndpointConfig\":{\"Aliases\":[\"al\"]}}", 200);
    docker_refused("POST", "/networks/net1/connect", "{\"Container\":\"member\"}", 403,
                   "endpoint with name member already exists in network net1");
    docker_expect("POST", "/containers/member/start", NULL, 204);
    AUTO_ANSWER live = docker_call("GET", "/networks/net1", NULL);
    const cJSON *member = skl_json_get(live.json, "Containers")->child;
    ck_assert_str_eq(skl_json_get_str(member, "Name"), "member");
    ck_assert_str_eq(skl_json_get_str(member, "IPv4Address"), "10.9.0.2/24");
    AUTO_ANSWER active = docker_call("DELETE", "/networks/net1", NULL);
    ck_assert_int_eq(active.status, 403);
    docker_expect("POST", "/networks/net1/disconnect", "{\"Container\":\"member\"}", 200);
    docker_expect("DELETE", "/networks/net1", NULL, 204);
    AUTO_ANSWER list = docker_call("GET", "/networks?filters={\"type\":[\"builtin\"]}", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(list.json), 3);
}
END_TEST

START_TEST(volumes_are_made_shown_and_removed)
{
    AUTO_ANSWER v =
        docker_call("POST", "/volumes/create", "{\"Name\":\"vol\",\"Labels\":{\"a\":\"b\"}}");
    ck_assert_int_eq(v.status, 201);
    ck_assert_str_eq(skl_json_get_str(v.json, "Mountpoint"), "/var/lib/docker/volumes/vol/_data");
    docker_expect("POST", "/volumes/create", "{\"Name\":\"vol\"}", 201);
    AUTO_ANSWER random = docker_call("POST", "/volumes/create", NULL);
    ck_assert_int_eq(strlen(skl_json_get_str(random.json, "Name")), 64);
    docker_refused("POST", "/volumes/create", "{\"Name\":\"h\"}", 400,
                   "create h: volume name is too short, names should be at least two alphanumeric "
                   "characters");
    docker_refused("POST", "/volumes/create", "{\"Name\":\"vv\",\"Driver\":\"bogus\"}", 404,
                   "create vv: error looking up volume plugin bogus: plugin \"bogus\" not found");
    docker_refused("GET", "/volumes/nope", NULL, 404, "get nope: no such volume");
    docker_refused("DELETE", "/volumes/nope", NULL, 404, "get nope: no such volume");
    docker_expect("DELETE", "/volumes/nope?force=1", NULL, 204);
    docker_create("?name=holder",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"Binds\":[\"vol:/x\"]}}");
    AUTO_ANSWER used = docker_call("DELETE", "/volumes/vol", NULL);
    ck_assert_int_eq(used.status, 409);
    AUTO_ANSWER free_ones = docker_call("GET", "/volumes?filters={\"dangling\":[\"true\"]}", NULL);
    ck_assert_int_eq(cJSON_GetArraySize(skl_json_get(free_ones.json, "Volumes")), 1);
    docker_expect("DELETE", "/containers/holder", NULL, 204);
    docker_expect("DELETE", "/volumes/vol", NULL, 204);
}
END_TEST

/* -- events */

START_TEST(stored_events_are_replayed_in_order_and_filtered)
{
    docker_create("?name=ev", "{\"Image\":\"busybox\",\"Labels\":{\"p\":\"q\"}}");
    docker_expect("POST", "/containers/ev/start", NULL, 204);
    docker_expect("POST", "/containers/ev/stop", NULL, 204);
    docker_expect("DELETE", "/containers/ev", NULL, 204);
    char target[200];
    snprintf(target, sizeof(target),
             "/events?since=0&until=%lld&filters={\"type\":[\"container\"],\"label\":[\"p=q\"]}",
             (long long)(skl_wall_ns() / SKL_NS_PER_S + 1));
    AUTO_ANSWER a = docker_call("GET", target, NULL);
    static const char *const order[] = {"create", "start", "kill", "die", "stop", "destroy"};
    const char *from = a.body;

    ck_assert_int_eq(a.status, 200);
    for (size_t i = 0; i < SKL_ARRAY_LEN(order); i++) {
        char text[60];

        snprintf(text, sizeof(text), "\"Action\":\"%s\"", order[i]);
        from = strstr(from, text);
        ck_assert_msg(from != NULL, "%s is missing or out of order in %s", order[i], a.body);
    }
    docker_refused("GET", "/events?since=5&until=3", NULL, 400,
                   "`since` time (5) cannot be after `until` time (3)");
}
END_TEST

START_TEST(live_events_come_as_they_happen)
{
    struct skl_buf seen;
    int fd = docker_open();

    docker_send(fd, "GET", "/events", NULL, NULL);
    skl_buf_init(&seen, 100000);
    net_until((net_read(fd, &seen), strstr(seen.p, "\r\n\r\n") != NULL));
    docker_expect("POST", "/networks/create", "{\"Name\":\"evn\"}", 201);
    net_until((net_read(fd, &seen), strstr(seen.p, "\"Type\":\"network\"") != NULL));
    ck_assert_ptr_nonnull(strstr(seen.p, "\"name\":\"evn\""));
    skl_buf_fini(&seen);
    close(fd);
    net_spin();
}
END_TEST

/* A client that does not read is not buffered for; what it missed comes from the journal. */
START_TEST(a_slow_listener_misses_nothing_that_the_journal_has)
{
    struct skl_buf seen;
    SKL_AUTO_STR char *big = skl_alloc0(1, 20001);
    int fd = docker_open();
    char last[40];

    memset(big, 'x', 20000);
    docker_send(fd, "GET", "/events", NULL, NULL);
    net_spin();
    for (int i = 0; i < 200; i++) {
        char *attributes[] = {(char[]){"big"}, big, (char[]){"n"}, last, NULL};

        snprintf(last, sizeof(last), "event-%d.", i);
        skl_journal_emit(skl_store_journal(engine->store), "daemon", "reload", "x", NULL,
                         attributes);
    }
    skl_buf_init(&seen, 64u << 20);
    net_until((net_read(fd, &seen), strstr(seen.p, "event-199.") != NULL));
    for (int i = 0; i < 200; i++) {
        snprintf(last, sizeof(last), "event-%d.", i);
        const char *found = strstr(seen.p, last);
        ck_assert_msg(found != NULL, "%s", last);
        ck_assert_ptr_null(strstr(found + 1, last));
    }
    skl_buf_fini(&seen);
    close(fd);
    net_spin();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("docker_api");
    TCase *t = tcase_create("all");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, ping_answers_ok_with_the_versions_headers);
    tcase_add_test(t, unknown_pages_and_wrong_methods_are_not_found);
    tcase_add_test(t, old_and_new_versions_are_refused_newer_clients_are_served);
    tcase_add_test(t, double_slashes_are_redirected_and_options_are_fine);
    tcase_add_test(t, json_bodies_are_checked_as_docker_does);
    tcase_add_test(t, what_is_not_there_yet_says_so);
    tcase_add_test(t, version_and_info_have_what_clients_parse);
    tcase_add_loop_test(t, create_refuses_with_dockers_texts, 0, SKL_ARRAY_LEN(refused));
    tcase_add_test(t, several_endpoints_need_api_1_44);
    tcase_add_test(t, a_refusal_of_the_backend_is_the_answer);
    tcase_add_test(t, the_image_fills_what_the_user_left_out);
    tcase_add_test(t, an_entrypoint_drops_the_images_command);
    tcase_add_test(t, what_was_sent_is_shown_again_with_dockers_defaults);
    tcase_add_test(t, warnings_name_what_has_no_effect);
    tcase_add_test(t, a_taken_name_conflicts_and_leaves_no_volume);
    tcase_add_test(t, lists_show_and_filter_containers);
    tcase_add_test(t, a_list_entry_has_dockers_shape);
    tcase_add_test(t, containers_are_found_by_id_name_and_prefix);
    tcase_add_test(t, a_container_starts_stops_and_goes);
    tcase_add_test(t, life_cycle_calls_refuse_with_dockers_texts);
    tcase_add_test(t, wait_sends_its_header_before_the_start);
    tcase_add_test(t, a_client_that_leaves_its_wait_disturbs_nobody);
    tcase_add_test(t, images_are_listed_inspected_tagged_and_removed);
    tcase_add_test(t, an_image_in_use_is_kept);
    tcase_add_test(t, a_registry_that_cannot_be_reached_leaves_a_marked_image);
    tcase_add_test(t, a_bad_reference_is_refused_before_any_registry_is_asked);
    tcase_add_test(t, networks_are_made_shown_connected_and_removed);
    tcase_add_test(t, volumes_are_made_shown_and_removed);
    tcase_add_test(t, stored_events_are_replayed_in_order_and_filtered);
    tcase_add_test(t, live_events_come_as_they_happen);
    tcase_add_test(t, a_slow_listener_misses_nothing_that_the_journal_has);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
