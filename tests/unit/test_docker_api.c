/* The Docker API over HTTP: routing, errors, create. */
#include "docker_helper.h"

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
                   "invalid JSON: json: cannot unmarshal array into Go value of type "
                   "runconfig.ContainerConfigWrapper");
}
END_TEST

START_TEST(swarm_and_plugins_answer_as_without_them)
{
    docker_refused("POST", "/swarm/leave", NULL, 503, "This node is not part of a swarm");
    docker_refused("POST", "/swarm/init", "{}", 501,
                   "swarm mode is not supported by the fake backend: Fake Cloud places the "
                   "containers itself");
    docker_refused("GET", "/services/x/logs", NULL, 400,
                   "Bad parameters: you must choose at least one stream");
    docker_refused("POST", "/nodes/x/update", "{}", 400,
                   "invalid node version '': strconv.ParseUint: parsing \"\": invalid syntax");
    docker_refused("POST", "/configs/x/update?version=z", "{}", 400, "invalid config version");
    docker_expect("GET", "/tasks/x/logs?stdout=1", NULL, 503);
    docker_expect("POST", "/services/x/update?version=1", "{}", 503);
    docker_expect("POST", "/tasks/create", "{}", 404);
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
     "invalid JSON: json: cannot unmarshal string into Go struct field ContainerConfigWrapper.Tty "
     "of "
     "type bool"},
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
    {"",
     "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"container:x\",\"Dns\":[\"1.1.1.1\"]}"
     "}",
     400, "conflicting options: dns and the network mode"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"PidMode\":\"container:nobody\"}}", 400,
     "No such container: nobody"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Runtime\":\"zz\"}}", 400,
     "Unknown runtime specified zz"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"CgroupnsMode\":\"zz\"}}", 400,
     "invalid cgroup namespace mode: zz"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"CapDrop\":[\"cap_nope\"]}}", 400,
     "invalid CapDrop: unknown capability: \"CAP_NOPE\""},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"SecurityOpt\":[\"seccomp=x\",\"zz\"]}}", 400,
     "invalid --security-opt 1: \"zz\""},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"OomScoreAdj\":-1001}}", 400,
     "Invalid value -1001, range for oom score adj is [-1000, 1000]"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"CpusetCpus\":\"0-3,x\"}}", 400,
     "Invalid value 0-3,x for cpuset cpus: invalid format: 0-3,x"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"CpuPeriod\":999}}", 400,
     "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
    {"",
     "{\"Image\":\"busybox\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"local\",\"Config\":{\"tag\":"
     "\"x\"}}}}",
     400, "unknown log opt 'tag' for log driver local"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"VolumesFrom\":[\"nobody\"]}}", 400,
     "No such container: nobody"},
    {"", "{\"Image\":\"busybox\",\"HostConfig\":{\"Tmpfs\":{\"/x\":\"\"},\"Binds\":[\"vv:/x\"]}}",
     400, "Duplicate mount point: /x"},
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
        "{\"Image\":\"busybox\",\"hostconfig\":{\"memory\":536870912,\"CapAdd\":[\"NET_RAW\"],"
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
                                "{\"Image\":\"busybox\",\"HostConfig\":{\"CapAdd\":[\"MKNOD\"],"
                                "\"SecurityOpt\":[\"label=disable\"]}}");
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

START_TEST(links_are_looked_up_and_shown_with_both_names)
{
    static const struct {
        const char *mode, *link;
        int status;
        const char *message;
    } rows[] = {
        {"none", "nobody:x", 400, "could not get container for nobody: No such container: nobody"},
        {"none", ":x", 400, "could not get container for : invalid name or ID supplied: \"\""},
        {"none", "", 500, "empty string specified for links"},
        {"none", "aa:b:c", 500, "bad format for links: aa:b:c"},
        {"host", "aa:b", 400,
         "conflicting options: host type networking can't be used with links. This would result in "
         "undefined behavior"},
    };

    docker_create("?name=aa", "{\"Image\":\"busybox\"}");
    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        char body[200];

        snprintf(
            body, sizeof(body),
            "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"%s\",\"Links\":[\"%s\"]}}",
            rows[i].mode, rows[i].link);
        docker_refused("POST", "/containers/create", body, rows[i].status, rows[i].message);
    }
    docker_create("?name=bb",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"Links\":[\"aa\",\"/aa:/x/y\"]}}");
    AUTO_ANSWER i = docker_call("GET", "/containers/bb/json", NULL);
    const cJSON *links = at(i.json, "HostConfig", "Links");
    ck_assert_str_eq(cJSON_GetArrayItem(links, 0)->valuestring, "/aa:/bb/aa");
    ck_assert_str_eq(cJSON_GetArrayItem(links, 1)->valuestring, "/aa:/bb/y");
}
END_TEST

START_TEST(inspect_repeats_what_was_asked_of_networks_storage_and_annotations)
{
    docker_expect("POST", "/networks/create",
                  "{\"Name\":\"nn\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/24\"}]}}", 201);
    docker_create("?name=ss",
                  "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"nn\",\"StorageOpt\":"
                  "{\"size\":\"1G\"},\"Annotations\":{\"a.b/c\":\"d\"}},\"NetworkingConfig\":"
                  "{\"EndpointsConfig\":{\"nn\":{\"IPAMConfig\":{\"IPv4Address\":\"10.9.0.9\","
                  "\"LinkLocalIPs\":[\"169.254.1.1\"]},\"Links\":[\"x:y\"],\"Aliases\":[\"al\"],"
                  "\"MacAddress\":\"02:42:0a:09:00:99\",\"DriverOpts\":{\"o\":\"1\"}}}}}");
    for (int running = 0; running < 2; running++) {
        if (running)
            docker_expect("POST", "/containers/ss/start", NULL, 204);
        AUTO_ANSWER i = docker_call("GET", "/containers/ss/json", NULL);
        const cJSON *host = skl_json_get(i.json, "HostConfig");
        const cJSON *n = skl_json_get(at(i.json, "NetworkSettings", "Networks"), "nn");

        ck_assert_str_eq(skl_json_get_str(skl_json_get(host, "StorageOpt"), "size"), "1G");
        ck_assert_str_eq(skl_json_get_str(skl_json_get(host, "Annotations"), "a.b/c"), "d");
        ck_assert_str_eq(skl_json_get_str(skl_json_get(n, "IPAMConfig"), "IPv4Address"),
                         "10.9.0.9");
        ck_assert_str_eq(cJSON_GetArrayItem(at(n, "IPAMConfig", "LinkLocalIPs"), 0)->valuestring,
                         "169.254.1.1");
        ck_assert_str_eq(cJSON_GetArrayItem(skl_json_get(n, "Links"), 0)->valuestring, "x:y");
        ck_assert_str_eq(cJSON_GetArrayItem(skl_json_get(n, "Aliases"), 0)->valuestring, "al");
        ck_assert_str_eq(skl_json_get_str(n, "MacAddress"), "02:42:0a:09:00:99");
        ck_assert_str_eq(skl_json_get_str(skl_json_get(n, "DriverOpts"), "o"), "1");
        ck_assert_str_eq(cJSON_GetArrayItem(skl_json_get(n, "DNSNames"), 0)->valuestring, "ss");
        ck_assert_str_eq(skl_json_get_str(n, "IPAddress"), running ? "10.9.0.9" : "");
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("all");

    tcase_add_test(t, inspect_repeats_what_was_asked_of_networks_storage_and_annotations);
    tcase_add_test(t, links_are_looked_up_and_shown_with_both_names);
    tcase_add_test(t, ping_answers_ok_with_the_versions_headers);
    tcase_add_test(t, unknown_pages_and_wrong_methods_are_not_found);
    tcase_add_test(t, old_and_new_versions_are_refused_newer_clients_are_served);
    tcase_add_test(t, double_slashes_are_redirected_and_options_are_fine);
    tcase_add_test(t, json_bodies_are_checked_as_docker_does);
    tcase_add_test(t, swarm_and_plugins_answer_as_without_them);
    tcase_add_test(t, version_and_info_have_what_clients_parse);
    tcase_add_loop_test(t, create_refuses_with_dockers_texts, 0, SKL_ARRAY_LEN(refused));
    tcase_add_test(t, several_endpoints_need_api_1_44);
    tcase_add_test(t, a_refusal_of_the_backend_is_the_answer);
    tcase_add_test(t, the_image_fills_what_the_user_left_out);
    tcase_add_test(t, an_entrypoint_drops_the_images_command);
    tcase_add_test(t, what_was_sent_is_shown_again_with_dockers_defaults);
    tcase_add_test(t, warnings_name_what_has_no_effect);
    tcase_add_test(t, a_taken_name_conflicts_and_leaves_no_volume);
    return docker_run("docker_api", t);
}
