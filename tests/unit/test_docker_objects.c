/* The Docker API over HTTP: images, networks, volumes, events. */
#include "docker_helper.h"

#include "base/tar.h"

/* -- images */

START_TEST(images_are_listed_inspected_tagged_and_removed)
{
    AUTO_ANSWER list = docker_call("GET", "/images/json", NULL);
    const cJSON *item = cJSON_GetArrayItem(list.json, 0);

    ck_assert_int_eq(cJSON_GetArraySize(list.json), 1);
    ck_assert_str_eq(cJSON_GetArrayItem(skl_json_get(item, "RepoTags"), 0)->valuestring,
                     DOCKER_IMAGE);
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
    struct skl_image *i = skl_image_find(engine->store, DOCKER_IMAGE);
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
    docker_expect("POST", "/networks/net1/connect", "{\"Container\":\"member\"}", 200);
    docker_expect("POST", "/containers/member/start", NULL, 204);
    docker_refused("POST", "/networks/net1/connect", "{\"Container\":\"member\"}", 403,
                   "endpoint with name member already exists in network net1");
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

START_TEST(options_of_volumes_are_those_of_the_local_driver)
{
    static const struct {
        const char *options;
        int status;
        const char *message; /* NULL: taken */
    } rows[] = {
        {"{\"type\":\"nfs\",\"device\":\":/x\",\"o\":\"addr=1.2.3.4\"}", 201, NULL},
        {"{}", 201, NULL},
        {"{\"type\":\"none\"}", 400, "create v1: missing required option: \"device\""},
        {"{\"o\":\"bind\"}", 400, "create v1: missing required option: \"device\""},
        {"{\"device\":\"/x\"}", 400, "create v1: missing required option: \"type\""},
        {"{\"size\":\"1.5GiB\"}", 400, "create v1: quota size requested but no quota support"},
        {"{\"size\":\"1x\"}", 500, "create v1: invalid size: '1x'"},
        {"{\"size\":\"inf\"}", 500, "create v1: invalid size: 'inf'"},
        {"{\"uid\":\"1\"}", 400, "create v1: invalid option: \"uid\""},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        char body[200];

        snprintf(body, sizeof(body), "{\"Name\":\"v1\",\"DriverOpts\":%s}", rows[i].options);
        if (rows[i].message) {
            docker_refused("POST", "/volumes/create", body, rows[i].status, rows[i].message);
        } else {
            AUTO_ANSWER made = docker_call("POST", "/volumes/create", body);
            ck_assert_int_eq(made.status, rows[i].status);
            ck_assert(cJSON_IsObject(skl_json_get(made.json, "Options")));
            docker_expect("DELETE", "/volumes/v1", NULL, 204);
        }
    }
    docker_refused("GET", "/volumes?filters={\"dangling\":[\"1\",\"0\"]}", NULL, 400,
                   "invalid filter 'dangling=[1 0]'");
    docker_refused("GET", "/volumes?filters={\"dangling\":[\"TRUE\"]}", NULL, 400,
                   "invalid filter 'dangling=[TRUE]'");
    docker_expect("GET", "/volumes?filters={\"dangling\":[\"1\",\"zz\"]}", NULL, 200);
}
END_TEST

/* One file "a" of one byte, as tar has it. */
static void make_tar(struct skl_buf *b)
{
    const struct skl_tar_entry e = {
        .type = SKL_TAR_FILE, .name = (char[]){"a"}, .mode = 0644, .size = 1};

    skl_buf_init(b, 1 << 20);
    ck_assert_int_eq(skl_tar_write_header(b, &e, NULL), 0);
    skl_buf_addc(b, 'x');
    skl_tar_write_padding(b, 1);
    skl_tar_write_end(b);
}

static struct answer import(const char *query, const char *p, size_t n)
{
    int fd = docker_open();
    char head[300];

    snprintf(
        head, sizeof(head),
        "POST /images/create?fromSrc=-%s HTTP/1.1\r\nHost: docker\r\nContent-Length: %zu\r\n\r\n",
        query, n);
    net_write(fd, head, strlen(head));
    net_write(fd, p, n);
    struct answer a = docker_read(fd, false);
    close(fd);
    return a;
}

START_TEST(an_archive_becomes_an_image_of_one_layer)
{
    struct skl_buf tar;

    make_tar(&tar);
    AUTO_ANSWER made =
        import("&repo=imp&tag=1&message=why&changes=CMD%20x&changes=LABEL%20a=b", tar.p, tar.n);
    ck_assert_int_eq(made.status, 200);
    AUTO_ANSWER i = docker_call("GET", "/images/imp:1/json", NULL);
    ck_assert_str_eq(skl_json_get_str(i.json, "Id"), skl_json_get_str(made.json, "status"));
    ck_assert_str_eq(skl_json_get_str(i.json, "Comment"), "why");
    ck_assert_int_eq(skl_json_get_int(i.json, "Size", 0), 1);
    ck_assert_int_eq(cJSON_GetArraySize(at(i.json, "RootFS", "Layers")), 1);
    docker_expect("POST", "/containers/create", "{\"Image\":\"imp:1\",\"Cmd\":[\"x\"]}", 501);
    AUTO_ANSWER junk = import("", "this is no archive", 18);
    ck_assert_int_eq(junk.status, 400);
    AUTO_ANSWER empty = import("&repo=none", "", 0);
    ck_assert_int_eq(empty.status, 200);
    AUTO_ANSWER change = import("&changes=RUN%20x", tar.p, tar.n);
    ck_assert_str_eq(skl_json_get_str(change.json, "message"), "run is not a valid change command");
    docker_refused("POST", "/images/create?fromSrc=http://x/y", NULL, 501,
                   "http://x/y is not downloaded by this daemon: send the archive itself (docker "
                   "import - < archive)");
    docker_refused("POST", "/images/create", NULL, 400, "invalid reference format");
    skl_buf_fini(&tar);
}
END_TEST

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

/* The stored events of images: action and name; an id as name is "-". */
static void image_events(struct skl_buf *b)
{
    char target[120];

    snprintf(target, sizeof(target), "/events?since=1&until=%lld&filters={\"type\":[\"image\"]}",
             (long long)time(NULL) + 1);
    AUTO_ANSWER all = docker_call("GET", target, NULL);
    for (const char *line = all.body; *line; line = strchr(line, '\n') + 1) {
        SKL_AUTO_JSON cJSON *e = cJSON_Parse(line);
        const cJSON *actor = skl_json_get(e, "Actor");
        const char *id = skl_json_get_str(actor, "ID");
        const char *name = skl_json_get_str(skl_json_get(actor, "Attributes"), "name");

        ck_assert_str_eq(skl_json_get_str(e, "Action"), skl_json_get_str(e, "status"));
        skl_buf_addf(b, "%s %s\n", skl_json_get_str(e, "Action"),
                     skl_streq(name, id) ? "-"
                     : name              ? name
                                         : "nothing");
    }
}

START_TEST(what_happens_to_images_is_told)
{
    struct skl_buf b;

    skl_buf_init(&b, 1 << 20);
    docker_expect("POST", "/images/busybox/tag?repo=other&tag=1", NULL, 201);
    docker_expect("DELETE", "/images/other:1", NULL, 200);
    docker_create("?name=cc", "{\"Image\":\"busybox\"}");
    docker_expect("POST", "/commit?container=cc&repo=copy&tag=2", NULL, 201);
    docker_expect("DELETE", "/images/copy:2", NULL, 200);
    docker_expect("POST", "/images/prune", NULL, 200);
    image_events(&b);
    ck_assert_str_eq(b.p, "tag other:1\nuntag -\ntag copy:2\nuntag -\ndelete -\nprune nothing\n");
    skl_buf_fini(&b);
}
END_TEST

START_TEST(events_come_in_the_media_type_that_is_asked_for)
{
    static const struct {
        const char *accept, *type;
        bool separated;
    } rows[] = {
        {"", "application/json", false},
        {"Accept: */*\r\n", "application/json", false},
        {"Accept: application/x-ndjson\r\n", "application/x-ndjson", false},
        {"Accept: application/jsonl\r\n", "application/jsonl", false},
        {"Accept: application/json-seq\r\n", "application/json-seq", true},
        {"Accept: application/json-seq;q=0.2, application/x-ndjson;q=0.9\r\n",
         "application/x-ndjson", false},
        {"Accept: application/json-seq;q=0\r\n", "application/json", false},
    };

    docker_expect("POST", "/volumes/create", "{\"Name\":\"seen\"}", 201);
    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        char target[80], type[80];

        snprintf(target, sizeof(target), "/events?since=1&until=%lld", (long long)time(NULL) + 1);
        AUTO_ANSWER a = docker_call_raw("GET", target, rows[i].accept, NULL);
        snprintf(type, sizeof(type), "Content-Type: %s\r\n", rows[i].type);
        ck_assert_msg(strstr(a.text.p, type) != NULL, "%s: %s", rows[i].accept, a.text.p);
        ck_assert((a.body[0] == 0x1e) == rows[i].separated);
        ck_assert(strstr(a.body, "\"seen\"") != NULL);
    }
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
    TCase *t = tcase_create("all");

    tcase_add_test(t, images_are_listed_inspected_tagged_and_removed);
    tcase_add_test(t, an_image_in_use_is_kept);
    tcase_add_test(t, a_registry_that_cannot_be_reached_leaves_a_marked_image);
    tcase_add_test(t, a_bad_reference_is_refused_before_any_registry_is_asked);
    tcase_add_test(t, networks_are_made_shown_connected_and_removed);
    tcase_add_test(t, volumes_are_made_shown_and_removed);
    tcase_add_test(t, options_of_volumes_are_those_of_the_local_driver);
    tcase_add_test(t, an_archive_becomes_an_image_of_one_layer);
    tcase_add_test(t, stored_events_are_replayed_in_order_and_filtered);
    tcase_add_test(t, what_happens_to_images_is_told);
    tcase_add_test(t, events_come_in_the_media_type_that_is_asked_for);
    tcase_add_test(t, live_events_come_as_they_happen);
    tcase_add_test(t, a_slow_listener_misses_nothing_that_the_journal_has);
    return docker_run("docker_objects", t);
}
