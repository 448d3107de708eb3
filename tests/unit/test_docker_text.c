/* The texts that Docker's clients write and read: references, filters, durations, event times. */
#include <check.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"
#include "docker/api/fields.h"
#include "docker/api/filters.h"
#include "docker/api/render.h"
#include "docker/api/routes.h"
#include "docker/containers/create_internal.h"
#include "docker/images/image_names.h"
#include "docker/images/reference.h"
#include "docker/system/event_filter.h"

/* -- references */

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32

static const struct {
    const char *text, *full, *familiar;
} good[] = {
    {"busybox", "docker.io/library/busybox", "busybox"},
    {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
    {"library/busybox", "docker.io/library/busybox", "busybox"},
    {"user/app:v1", "docker.io/user/app:v1", "user/app:v1"},
    {"index.docker.io/user/app", "docker.io/user/app", "user/app"},
    {"docker.io/busybox", "docker.io/library/busybox", "busybox"},
    {"localhost/x", "localhost/x", "localhost/x"},
    {"localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"},
    {"reg.example.com/a/b/c:t", "reg.example.com/a/b/c:t", "reg.example.com/a/b/c:t"},
    {"[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"},
    {"Upper/x", "Upper/x", "Upper/x"},
    {"a__b/c--d.e_f", "docker.io/a__b/c--d.e_f", "a__b/c--d.e_f"},
    {"x@sha256:" HEX64, "docker.io/library/x@sha256:" HEX64, "x@sha256:" HEX64},
    {"x:1@sha256:" HEX64, "docker.io/library/x@sha256:" HEX64, "x@sha256:" HEX64},
};

START_TEST(a_reference_is_normalised_and_shown_as_docker_does)
{
    SKL_AUTO_REFERENCE struct skl_reference r;
    struct skl_error err = {0};

    ck_assert_msg(skl_reference_parse(good[_i].text, &r, &err) == 0, "%s: %s", good[_i].text,
                  err.msg);
    SKL_AUTO_STR char *full = skl_reference_full(&r);
    SKL_AUTO_STR char *familiar = skl_reference_familiar(&r);
    ck_assert_str_eq(full, good[_i].full);
    ck_assert_str_eq(familiar, good[_i].familiar);
}
END_TEST

static const struct {
    const char *text, *message;
} bad[] = {
    {"", "invalid reference format"},
    {"a:", "invalid reference format"},
    {":a", "invalid reference format"},
    {"a//b", "invalid reference format"},
    {"-a", "invalid reference format"},
    {"a/", "invalid reference format"},
    {"a___b", "invalid reference format"},
    {"a..b", "invalid reference format"},
    {"a b", "invalid reference format"},
    {"a@sha256:12", "invalid reference format"},
    {"a@", "invalid reference format"},
    {"reg:port/x", "invalid reference format"},
    {"UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"},
    {"a/B:1", "invalid reference format: repository name (a/B) must be lowercase"},
    {HEX64, "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings"},
};

START_TEST(a_bad_reference_is_refused_with_dockers_text)
{
    struct skl_reference r;
    struct skl_error err = {0};

    ck_assert_int_eq(skl_reference_parse(bad[_i].text, &r, &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, bad[_i].message);
    ck_assert_ptr_null(r.domain);
}
END_TEST

START_TEST(a_repository_name_has_at_most_255_characters)
{
    struct skl_reference r;
    struct skl_error err;
    char text[300];

    memset(text, 'a', sizeof(text));
    text[255 - strlen("docker.io/library/")] = '\0';
    ck_assert_int_eq(skl_reference_parse(text, &r, &err), 0);
    skl_reference_fini(&r);
    memset(text, 'a', sizeof(text));
    text[256 - strlen("docker.io/library/")] = '\0';
    ck_assert_int_eq(skl_reference_parse(text, &r, &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, "repository name must not be more than 255 characters");
}
END_TEST

START_TEST(a_tag_parameter_may_be_a_tag_or_a_digest)
{
    SKL_AUTO_REFERENCE struct skl_reference r;
    struct skl_error err;

    ck_assert_int_eq(skl_reference_parse("x", &r, &err), 0);
    ck_assert_int_eq(skl_reference_set_tag(&r, "1.2", &err), 0);
    ck_assert_str_eq(r.tag, "1.2");
    ck_assert_int_eq(skl_reference_set_tag(&r, "sha256:" HEX64, &err), 0);
    ck_assert_str_eq(r.digest, "sha256:" HEX64);
    ck_assert_int_eq(skl_reference_set_tag(&r, "a b", &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, "invalid tag format");
}
END_TEST

START_TEST(the_default_tag_is_latest_unless_there_is_a_digest)
{
    SKL_AUTO_REFERENCE struct skl_reference r, d;

    ck_assert_int_eq(skl_reference_parse("x", &r, NULL), 0);
    skl_reference_default_tag(&r);
    ck_assert_str_eq(r.tag, "latest");
    ck_assert_int_eq(skl_reference_parse("x@sha256:" HEX64, &d, NULL), 0);
    skl_reference_default_tag(&d);
    ck_assert_ptr_null(d.tag);
}
END_TEST

START_TEST(the_repository_of_a_reference_ends_before_tag_and_digest)
{
    static const char *const rows[][2] = {
        {"a:1", "a"},
        {"localhost:5000/a", "localhost:5000/a"},
        {"localhost:5000/a:2", "localhost:5000/a"},
        {"a/b@sha256:x", "a/b"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        SKL_AUTO_STR char *name = skl_image_repository(rows[i][0]);

        ck_assert_str_eq(name, rows[i][1]);
    }
}
END_TEST

START_TEST(a_platform_is_text_or_json)
{
    struct skl_platform p;
    struct skl_error err;

    ck_assert_int_eq(skl_platform_parse("linux/arm64/v8", &p, &err), 0);
    ck_assert_str_eq(p.os, "linux");
    ck_assert_str_eq(p.architecture, "arm64");
    ck_assert_ptr_null(p.variant);
    skl_platform_fini(&p);
    ck_assert_int_eq(skl_platform_parse("{\"os\":\"linux\",\"architecture\":\"arm\","
                                        "\"variant\":\"v7\"}",
                                        &p, &err),
                     0);
    ck_assert_str_eq(p.variant, "v7");
    skl_platform_fini(&p);
    ck_assert_int_eq(skl_platform_parse("aarch64", &p, &err), 0);
    ck_assert_str_eq(p.architecture, "arm64");
    skl_platform_fini(&p);
    ck_assert_int_eq(skl_platform_parse("", &p, &err), 0);
    ck_assert_ptr_null(p.os);
    ck_assert_int_eq(skl_platform_parse("li nux", &p, &err), -SKL_E_INVALID);
}
END_TEST

/* -- filters */

static struct skl_filters filters(const char *text)
{
    struct skl_filters f;
    struct skl_error err = {0};

    ck_assert_msg(skl_filters_parse(text, &f, &err) == 0, "%s: %s", text, err.msg);
    return f;
}

START_TEST(both_json_forms_of_filters_mean_the_same)
{
    static const char *const forms[] = {"{\"status\":{\"running\":true,\"exited\":true}}",
                                        "{\"status\":[\"running\",\"exited\"]}"};

    for (size_t i = 0; i < 2; i++) {
        SKL_AUTO_FILTERS struct skl_filters f = filters(forms[i]);

        ck_assert(skl_filters_exact(&f, "status", "running"));
        ck_assert(skl_filters_exact(&f, "status", "exited"));
        ck_assert(!skl_filters_exact(&f, "status", "paused"));
        ck_assert(skl_filters_exact(&f, "name", "anything"));
    }
}
END_TEST

START_TEST(no_filters_match_everything)
{
    SKL_AUTO_FILTERS struct skl_filters f = filters(NULL), g = filters("{}"), h = filters("");

    ck_assert(skl_filters_exact(&f, "x", "y") && skl_filters_exact(&g, "x", "y"));
    ck_assert(skl_filters_exact(&h, "x", "y"));
}
END_TEST

START_TEST(what_is_no_filter_is_refused)
{
    static const char *const rows[] = {"[",         "[]",          "1",
                                       "{\"a\":1}", "{\"a\":[1]}", "{\"a\":{\"b\":2}}"};
    struct skl_filters f;
    struct skl_error err;

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(skl_filters_parse(rows[i], &f, &err), -SKL_E_INVALID);
        ck_assert_str_eq(err.msg, "invalid filter");
    }
}
END_TEST

START_TEST(an_unknown_filter_key_is_named)
{
    static const char *const keys[] = {"label", NULL};
    SKL_AUTO_FILTERS struct skl_filters f = filters("{\"foo\":[\"x\"]}");
    struct skl_error err;

    ck_assert_int_eq(skl_filters_accept(&f, keys, &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, "invalid filter 'foo'");
}
END_TEST

START_TEST(a_name_filter_is_an_expression_with_and_without_slash)
{
    static const struct {
        const char *pattern, *name;
        bool takes;
    } rows[] = {
        {"web", "my-web-1", true}, {"^web$", "web", true},   {"^/web$", "web", true},
        {"^web$", "web1", false},  {"we(b|c)", "wec", true}, {"w\\\\d+", "w12", true},
        {"(?:a|b)x", "bx", true},  {"[", "[", true},         {"(", "x", false},
        {"(a)\\\\1", "aa", false},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        char text[100];

        snprintf(text, sizeof(text), "{\"name\":[\"%s\"]}", rows[i].pattern);
        SKL_AUTO_FILTERS struct skl_filters f = filters(text);
        ck_assert_msg(skl_filters_name(&f, "name", rows[i].name) == rows[i].takes, "%s on %s",
                      rows[i].pattern, rows[i].name);
    }
}
END_TEST

static const struct {
    const char *pattern, *text;
    int matches; /* -1: no pattern */
} patterns[] = {
    {"", "", 1},
    {"a", "", 0},
    {"a", "xax", 1},
    {"^a", "xa", 0},
    {"a$", "ab", 0},
    {"^a*$", "aaaa", 1},
    {"^a*$", "aab", 0},
    {"^a+$", "", 0},
    {"^a?b$", "b", 1},
    {"^(ab)+$", "abab", 1},
    {"^(ab)+$", "aba", 0},
    {"^a|b$", "xb", 1},
    {"^(a|bc|d)$", "bc", 1},
    {"^(a|bc|d)$", "b", 0},
    {"^[a-c]+$", "abcab", 1},
    {"^[^a-c]$", "b", 0},
    {"^[]x]$", "]", 1},
    {"^[a-]$", "-", 1},
    {"^\\d{2,3}$", "123", 1},
    {"^\\d{2,3}$", "1", 0},
    {"^\\d{2,3}$", "1234", 0},
    {"^a{2}$", "aa", 1},
    {"^a{2,}$", "aaaaa", 1},
    {"^a{2,}$", "a", 0},
    {"^a{0}b$", "b", 1},
    {"a{x", "a{x", 1},
    {"^\\w+\\.\\S$", "ab_1.c", 1},
    {"^(?:a|)b$", "b", 1},
    {"^(a*)*$", "aaa", 1},
    {"^(a*)+b", "aaab", 1},
    {"^.*x$", "aaax", 1},
    {"(", "", -1},
    {")", "", -1},
    {"*a", "", -1},
    {"a**", "", -1},
    {"a++++++++", "", -1},
    {"[", "", -1},
    {"[b-a]", "", -1},
    {"\\1", "", -1},
    {"a\\", "", -1},
    {"(?i)a", "", -1},
    {"(a{900}){900}", "", -1},
    {"a{5,2}", "", -1},
    {"((((((((a+)+)+)+)+)+)+)+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0},
};

START_TEST(patterns_match_as_gos_and_are_never_slow)
{
    struct skl_pattern *p = skl_pattern_new(patterns[_i].pattern);

    if (patterns[_i].matches < 0)
        ck_assert_msg(p == NULL, "%s", patterns[_i].pattern);
    else
        ck_assert_msg(p && skl_pattern_matches(p, patterns[_i].text) == patterns[_i].matches,
                      "%s on %s", patterns[_i].pattern, patterns[_i].text);
    skl_pattern_free(p);
}
END_TEST

START_TEST(label_filters_add_up)
{
    SKL_AUTO_FILTERS struct skl_filters both = filters("{\"label\":[\"a=1\",\"b\"]}");
    struct skl_labels l = {0};

    skl_labels_set(&l, "a", "1");
    ck_assert(!skl_filters_labels(&both, "label", &l));
    skl_labels_set(&l, "b", "x");
    ck_assert(skl_filters_labels(&both, "label", &l));
    skl_labels_set(&l, "a", "2");
    ck_assert(!skl_filters_labels(&both, "label", &l));
    skl_labels_fini(&l);
}
END_TEST

/* -- durations and states */

static const struct {
    int64_t seconds;
    const char *text;
} durations[] = {
    {0, "Less than a second"}, {1, "1 second"},          {59, "59 seconds"},
    {60, "About a minute"},    {119, "About a minute"},  {120, "2 minutes"},
    {3599, "59 minutes"},      {3600, "About an hour"},  {2 * 3600, "2 hours"},
    {47 * 3600, "47 hours"},   {48 * 3600, "2 days"},    {14 * 86400, "2 weeks"},
    {60 * 86400, "2 months"},  {730 * 86400, "2 years"},
};

START_TEST(durations_read_as_dockers)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 100);
    skl_render_duration(&b, durations[_i].seconds);
    ck_assert_str_eq(b.p, durations[_i].text);
}
END_TEST

START_TEST(a_status_says_state_and_time)
{
    static const struct {
        enum skl_container_state state;
        int64_t started_s, finished_s;
        int code;
        enum skl_health health;
        const char *text;
    } rows[] = {
        {SKL_CONTAINER_CREATED, 0, 0, 0, SKL_HEALTH_NONE, "Created"},
        {SKL_CONTAINER_RUNNING, 95, 0, 0, SKL_HEALTH_NONE, "Up 5 seconds"},
        {SKL_CONTAINER_RUNNING, 95, 0, 0, SKL_HEALTH_HEALTHY, "Up 5 seconds (healthy)"},
        {SKL_CONTAINER_RUNNING, 95, 0, 0, SKL_HEALTH_STARTING, "Up 5 seconds (health: starting)"},
        {SKL_CONTAINER_PAUSED, 95, 0, 0, SKL_HEALTH_NONE, "Up 5 seconds (Paused)"},
        {SKL_CONTAINER_EXITED, 90, 97, 137, SKL_HEALTH_NONE, "Exited (137) 3 seconds ago"},
        {SKL_CONTAINER_RESTARTING, 90, 97, 1, SKL_HEALTH_NONE, "Restarting (1) 3 seconds ago"},
        {SKL_CONTAINER_REMOVING, 90, 97, 1, SKL_HEALTH_NONE, "Removal In Progress"},
        {SKL_CONTAINER_DEAD, 90, 97, 1, SKL_HEALTH_NONE, "Dead"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        struct skl_container *c = skl_container_new();
        SKL_AUTO_BUF struct skl_buf b = {0};

        skl_buf_init(&b, 100);
        c->state = rows[i].state;
        c->started_ns = rows[i].started_s * SKL_NS_PER_S;
        c->finished_ns = rows[i].finished_s * SKL_NS_PER_S;
        c->exit_code = rows[i].code;
        c->health = rows[i].health;
        skl_render_status(&b, c, 100 * SKL_NS_PER_S);
        ck_assert_str_eq(b.p, rows[i].text);
        skl_container_free(c);
    }
}
END_TEST

/* -- JSON */

START_TEST(whole_numbers_stay_whole)
{
    SKL_AUTO_JSON cJSON *json = NULL;

    ck_assert_int_eq(skl_json_parse(SKL_STR("{\"a\":1152921504606846976,\"b\":1e15,\"c\":0.5,"
                                            "\"d\":9223372036854775807}"),
                                    &json, NULL),
                     0);
    SKL_AUTO_STR char *text = skl_render_text(json);
    ck_assert_str_eq(text, "{\"a\":1152921504606846976,\"b\":1000000000000000,\"c\":0.5,"
                           "\"d\":9223372036854775807}");
}
END_TEST

static int take_host(const char *text, cJSON **ret, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *json = NULL;

    ck_assert_int_eq(skl_json_parse(skl_str(text), &json, NULL), 0);
    return skl_fields_take(skl_host_config_fields, skl_host_config_fields_count, "HostConfig", json,
                           ret, err);
}

START_TEST(keys_match_in_any_case_and_come_out_canonical)
{
    SKL_AUTO_JSON cJSON *out = NULL;

    ck_assert_int_eq(take_host("{\"memory\":5,\"AUTOREMOVE\":true,\"unknown\":1}", &out, NULL), 0);
    ck_assert(cJSON_GetObjectItemCaseSensitive(out, "Memory")->valuedouble > 4);
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(out, "AutoRemove")));
    ck_assert_ptr_null(cJSON_GetObjectItem(out, "unknown"));
    ck_assert_str_eq(skl_json_get_str(out, "NetworkMode"), "default");
    ck_assert(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(out, "Binds")));
}
END_TEST

START_TEST(a_member_of_the_wrong_type_is_refused)
{
    static const char *const rows[] = {
        "{\"Memory\":\"1\"}", "{\"Memory\":1.5}",       "{\"Binds\":{}}",
        "{\"Binds\":[1]}",    "{\"Privileged\":\"x\"}", "{\"Sysctls\":{\"a\":1}}",
        "{\"LogConfig\":[]}", "{\"NetworkMode\":7}",
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        cJSON *out = NULL;
        struct skl_error err;

        ck_assert_msg(take_host(rows[i], &out, &err) == -SKL_E_INVALID, "%s", rows[i]);
        ck_assert(skl_str_starts(skl_str(err.msg), "invalid JSON: cannot unmarshal"));
    }
}
END_TEST

START_TEST(paths_are_cleaned_as_go_does)
{
    static const char *const rows[][2] = {
        {"/", "/"},          {"/a", "/a"},       {"/a/", "/a"},
        {"//a///b", "/a/b"}, {"/a/./b", "/a/b"}, {"/a/../b//c/", "/b/c"},
        {"/../..", "/"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        SKL_AUTO_STR char *clean = skl_path_clean(rows[i][0]);

        ck_assert_str_eq(clean, rows[i][1]);
    }
    ck_assert_ptr_null(skl_path_clean("a/b"));
    ck_assert_ptr_null(skl_path_clean(""));
}
END_TEST

START_TEST(port_specifications_are_numbers_ranges_and_protocols)
{
    static const char *const yes[] = {"80", "80/tcp", "53/udp", "9/sctp", "8000-8010/tcp"};
    static const char *const no[] = {"", "x", "80/", "80/foo", "65536", "9-8", "-1", "8080:80"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(yes); i++)
        ck_assert_msg(skl_port_spec_is_valid(yes[i]), "%s", yes[i]);
    for (size_t i = 0; i < SKL_ARRAY_LEN(no); i++)
        ck_assert_msg(!skl_port_spec_is_valid(no[i]), "%s", no[i]);
}
END_TEST

/* -- events */

START_TEST(event_times_are_seconds_dates_or_durations)
{
    const int64_t now = 1000 * SKL_NS_PER_S;
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"5", 5 * SKL_NS_PER_S},     {"5.25", 5250000000},
        {"5.000000001", 5000000001}, {"1970-01-01T00:00:07Z", 7 * SKL_NS_PER_S},
        {"10m", 400 * SKL_NS_PER_S}, {"1m40s", 900 * SKL_NS_PER_S},
    };
    struct skl_error err;
    int64_t ns;

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(skl_event_time_parse(rows[i].text, now, &ns, &err), 0);
        ck_assert_int_eq(ns, rows[i].ns);
    }
    ck_assert_int_eq(skl_event_time_parse("soon", now, &ns, &err), -SKL_E_INVALID);
    ck_assert_int_eq(skl_event_time_parse("10", now, &ns, &err), 0);
    ck_assert_int_eq(skl_event_time_parse("99999999999999999999", now, &ns, &err), -SKL_E_INVALID);
}
END_TEST

START_TEST(event_filters_know_actions_objects_and_labels)
{
    char *attributes[] = {(char[]){"image"}, (char[]){"busybox"}, (char[]){"l"}, (char[]){"v"},
                          (char[]){"name"},  (char[]){"web"},     NULL};
    struct skl_event e = {(char[]){"container"},
                          (char[]){"exec_create: sh -c x"},
                          (char[]){"abc123"},
                          (char[]){"busybox"},
                          attributes,
                          1};
    static const struct {
        const char *filter;
        bool takes;
    } rows[] = {
        {"{}", true},
        {"{\"event\":[\"exec_create\"]}", true},
        {"{\"event\":[\"exec\"]}", false},
        {"{\"event\":[\"start\"]}", false},
        {"{\"type\":[\"container\"]}", true},
        {"{\"type\":[\"image\"]}", false},
        {"{\"container\":[\"web\"]}", true},
        {"{\"container\":[\"abc\"]}", true},
        {"{\"container\":[\"db\"]}", false},
        {"{\"image\":[\"busybox\"]}", true},
        {"{\"network\":[\"web\"]}", false},
        {"{\"label\":[\"l=v\"]}", true},
        {"{\"label\":[\"l=w\"]}", false},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        SKL_AUTO_FILTERS struct skl_filters f = filters(rows[i].filter);

        ck_assert_msg(skl_event_filter_takes(&f, &e) == rows[i].takes, "%s", rows[i].filter);
    }
}
END_TEST

START_TEST(an_event_carries_old_and_new_fields)
{
    char *attributes[] = {(char[]){"name"}, (char[]){"web"}, NULL};
    struct skl_event e = {(char[]){"container"}, (char[]){"die"}, (char[]){"abc"},
                          (char[]){"busy"},      attributes,      1500000000000000042};
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 1000);
    skl_event_render(&e, &b);
    ck_assert_str_eq(b.p, "{\"status\":\"die\",\"id\":\"abc\",\"from\":\"busy\",\"Type\":"
                          "\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"abc\","
                          "\"Attributes\":{\"name\":\"web\"}},\"scope\":\"local\",\"time\":"
                          "1500000000,\"timeNano\":1500000000000000042}\n");
}
END_TEST

/* -- routes */

START_TEST(parameters_reach_to_the_text_that_follows_them)
{
    static const struct {
        const char *pattern, *path, *param; /* param NULL: no match, "": match without */
    } rows[] = {
        {"/images/{name}/json", "/images/a/json", "a"},
        {"/images/{name}/json", "/images/a/b:c/json", "a/b:c"},
        {"/images/{name}/json", "/images//json", NULL},
        {"/images/{name}/json", "/images/json", NULL},
        {"/containers/{id}", "/containers/x", "x"},
        {"/containers/{id}", "/containers/", NULL},
        {"/info", "/info", ""},
        {"/info", "/info/", NULL},
        {"/info", "/inf", NULL},
        {"/images/{name}/json", "/images/json/json", "json"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(rows); i++) {
        struct skl_route route = {"GET", rows[i].pattern, SKL_BODY_NONE, 0, NULL};
        struct skl_str param;
        bool found = skl_route_match(&route, skl_str(rows[i].path), &param);

        ck_assert_msg(found == (rows[i].param != NULL), "%s", rows[i].path);
        if (found)
            ck_assert(skl_str_eqz(param, rows[i].param));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("docker_text");
    TCase *t = tcase_create("all");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_loop_test(t, a_reference_is_normalised_and_shown_as_docker_does, 0,
                        SKL_ARRAY_LEN(good));
    tcase_add_loop_test(t, a_bad_reference_is_refused_with_dockers_text, 0, SKL_ARRAY_LEN(bad));
    tcase_add_test(t, a_repository_name_has_at_most_255_characters);
    tcase_add_test(t, a_tag_parameter_may_be_a_tag_or_a_digest);
    tcase_add_test(t, the_default_tag_is_latest_unless_there_is_a_digest);
    tcase_add_test(t, the_repository_of_a_reference_ends_before_tag_and_digest);
    tcase_add_test(t, a_platform_is_text_or_json);
    tcase_add_test(t, both_json_forms_of_filters_mean_the_same);
    tcase_add_test(t, no_filters_match_everything);
    tcase_add_test(t, what_is_no_filter_is_refused);
    tcase_add_test(t, an_unknown_filter_key_is_named);
    tcase_add_test(t, a_name_filter_is_an_expression_with_and_without_slash);
    tcase_add_loop_test(t, patterns_match_as_gos_and_are_never_slow, 0, SKL_ARRAY_LEN(patterns));
    tcase_add_test(t, label_filters_add_up);
    tcase_add_loop_test(t, durations_read_as_dockers, 0, SKL_ARRAY_LEN(durations));
    tcase_add_test(t, a_status_says_state_and_time);
    tcase_add_test(t, whole_numbers_stay_whole);
    tcase_add_test(t, keys_match_in_any_case_and_come_out_canonical);
    tcase_add_test(t, a_member_of_the_wrong_type_is_refused);
    tcase_add_test(t, paths_are_cleaned_as_go_does);
    tcase_add_test(t, port_specifications_are_numbers_ranges_and_protocols);
    tcase_add_test(t, event_times_are_seconds_dates_or_durations);
    tcase_add_test(t, event_filters_know_actions_objects_and_labels);
    tcase_add_test(t, an_event_carries_old_and_new_fields);
    tcase_add_test(t, parameters_reach_to_the_text_that_follows_them);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
