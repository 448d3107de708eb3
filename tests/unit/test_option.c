/* option: defaults, environment and command line, in this order; one line per mistake; no secret shown. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/option.h"

struct core {
    char **hosts;
    char *dir, *level;
    int64_t count, port;
    bool tls;
};

struct cloud {
    char *subscription, *secret;
    char **regions;
    int64_t seconds;
};

#define CORE(m)  .offset = offsetof(struct core, m)
#define CLOUD(m) .offset = offsetof(struct cloud, m)

static const struct skl_option core_rows[] = {
    {.flag = "-H",
     .env = "T_HOST",
     CORE(hosts),
     .type = SKL_OPTION_LIST,
     .help = "where to listen"},
    {.flag = "--dir", .env = "T_DIR", CORE(dir), .dflt = "/var", .help = "the directory"},
    {.flag = "--level",
     .env = "T_LEVEL",
     CORE(level),
     .type = SKL_OPTION_ENUM,
     .dflt = "info",
     .choices = "debug|info",
     .help = "the level"},
    {.flag = "--count", .env = "T_COUNT", CORE(count), .type = SKL_OPTION_INT, .help = "a count"},
    {.flag = "--port",
     CORE(port),
     .type = SKL_OPTION_INT,
     .dflt = "80",
     .min = 1,
     .max = 65535,
     .help = "a port"},
    {.flag = "--tls", .env = "T_TLS", CORE(tls), .type = SKL_OPTION_BOOL, .help = "TLS"},
};

static const struct skl_option cloud_rows[] = {
    {.env = "T_SUBSCRIPTION_ID",
     CLOUD(subscription),
     .required = true,
     .help = "the Azure subscription ID"},
    {.flag = "--secret",
     .env = "T_SECRET",
     CLOUD(secret),
     .type = SKL_OPTION_SECRET,
     .help = "the secret"},
    {.env = "T_REGIONS", CLOUD(regions), .type = SKL_OPTION_LIST, .help = "regions"},
    {.env = "T_SECONDS",
     CLOUD(seconds),
     .type = SKL_OPTION_INT,
     .dflt = "5",
     .min = -10,
     .max = 10,
     .help = "seconds"},
};

static struct core core;
static struct cloud cloud;
static const struct skl_option_table tables[] = {
    {"Core", core_rows, SKL_ARRAY_LEN(core_rows), &core},
    {"Cloud", cloud_rows, SKL_ARRAY_LEN(cloud_rows), &cloud},
};
static const char *const *environment; /* name, value, ..., NULL */

static const char *get_env(const char *name)
{
    for (const char *const *p = environment; p && *p; p += 2)
        if (skl_streq(*p, name))
            return p[1];
    return NULL;
}

static int load(const char *const *env, const char *const *args, struct skl_error *err)
{
    char **argv = NULL;
    int rc;

    core = (struct core){0};
    cloud = (struct cloud){0};
    environment = env;
    for (; args && *args; args++)
        skl_strv_push(&argv, *args);
    rc = skl_options_load(tables, 2, get_env, argv ? argv : (char *[]){NULL}, err);
    skl_strv_free(argv);
    return rc;
}

#define ENV(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SUB       "T_SUBSCRIPTION_ID", "sub"

static void fini(void)
{
    skl_options_fini(tables, 2);
}

START_TEST(defaults_fill_what_nobody_says)
{
    ck_assert_int_eq(load(ENV(SUB, "T_DIR", ""), NULL, NULL), 0);
    ck_assert_str_eq(core.dir, "/var"); /* an empty variable is none */
    ck_assert_str_eq(core.level, "info");
    ck_assert_int_eq(core.port, 80);
    ck_assert_int_eq(core.count, 0);
    ck_assert(!core.tls);
    ck_assert_ptr_null(core.hosts);
    ck_assert_str_eq(cloud.secret, "");
    ck_assert_int_eq(cloud.seconds, 5);
}
END_TEST

START_TEST(the_command_line_wins_over_the_environment)
{
    ck_assert_int_eq(
        load(ENV(SUB, "T_DIR", "/env", "T_COUNT", " 7 ", "T_TLS", "1", "T_LEVEL", "debug", "T_HOST",
                 "tcp://env"),
             ARGS("--dir", "/arg", "--port=443", "-H", "a", "-H", "b,c", "--tls=false"), NULL),
        0);
    ck_assert_str_eq(core.dir, "/arg");
    ck_assert_int_eq(core.count, 7);
    ck_assert_int_eq(core.port, 443);
    ck_assert(!core.tls);
    ck_assert_str_eq(core.level, "debug");
    ck_assert_uint_eq(skl_strv_len(core.hosts), 3); /* the environment's list is replaced */
    ck_assert_str_eq(core.hosts[0], "a");
    ck_assert_str_eq(core.hosts[2], "c");
}
END_TEST

START_TEST(lists_split_at_commas_and_drop_the_empty)
{
    ck_assert_int_eq(load(ENV(SUB, "T_REGIONS", " eu , ,us,"), ARGS("--tls"), NULL), 0);
    ck_assert_uint_eq(skl_strv_len(cloud.regions), 2);
    ck_assert_str_eq(cloud.regions[0], "eu");
    ck_assert_str_eq(cloud.regions[1], "us");
    ck_assert(core.tls);
}
END_TEST

START_TEST(a_flag_may_be_set_to_nothing)
{
    ck_assert_int_eq(load(ENV(SUB), ARGS("--dir="), NULL), 0);
    ck_assert_str_eq(core.dir, "");
}
END_TEST

START_TEST(mistakes_are_one_line_that_names_the_setting)
{
    static const struct {
        const char *env[5];
        const char *args[3];
        const char *msg;
    } cases[] = {
        {{NULL}, {NULL}, "T_SUBSCRIPTION_ID is required: the Azure subscription ID"},
        {{SUB, "T_COUNT", "x"}, {NULL}, "T_COUNT: 'x' is not a number from 0 on (a count)"},
        {{SUB, "T_COUNT", "-1"}, {NULL}, "T_COUNT: '-1' is not a number from 0 on (a count)"},
        {{SUB}, {"--port", "65536"}, "--port: '65536' is not a number from 1 to 65535 (a port)"},
        {{SUB}, {"--port=0"}, "--port: '0' is not a number from 1 to 65535 (a port)"},
        {{SUB, "T_SECONDS", "-11"},
         {NULL},
         "T_SECONDS: '-11' is not a number from -10 to 10 (seconds)"},
        {{SUB, "T_TLS", "maybe"}, {NULL}, "T_TLS: 'maybe' is neither true nor false (TLS)"},
        {{SUB, "T_LEVEL", "inf"}, {NULL}, "T_LEVEL: 'inf' is none of debug|info (the level)"},
        {{SUB}, {"--dir"}, "--dir needs a value: the directory"},
        {{SUB}, {"--secrt=hunter2"}, "unknown option '--secrt': --help lists all"},
        {{SUB}, {"word"}, "unknown option 'word': --help lists all"},
    };
    struct skl_error err = {0};

    ck_assert_int_eq(load(cases[_i].env, cases[_i].args, &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, cases[_i].msg);
}
END_TEST

START_TEST(printing_shows_everything_but_secrets)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4096);
    ck_assert_int_eq(
        load(ENV(SUB, "T_SECRET", "hunter2", "T_REGIONS", "eu,us"), ARGS("-H", "a", "--tls"), NULL),
        0);
    skl_options_print(tables, 2, &b);
    ck_assert_str_eq(b.p, "T_HOST=a\nT_DIR=/var\nT_LEVEL=info\nT_COUNT=0\n--port=80\nT_TLS=true\n"
                          "T_SUBSCRIPTION_ID=sub\nT_SECRET=***\nT_REGIONS=eu,us\nT_SECONDS=5\n");
}
END_TEST

START_TEST(help_has_every_row_under_its_heading)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4096);
    skl_options_help(tables, 2, &b);
    ck_assert_ptr_eq(strstr(b.p, "Core:\n"), b.p);
    ck_assert_ptr_nonnull(strstr(b.p, "\nCloud:\n"));
    ck_assert_ptr_nonnull(
        strstr(b.p, "  -H VALUE  T_HOST\n        where to listen; may be repeated\n"));
    ck_assert_ptr_nonnull(
        strstr(b.p, "  --level debug|info  T_LEVEL\n        the level (default info)\n"));
    ck_assert_ptr_nonnull(
        strstr(b.p, "  T_SUBSCRIPTION_ID\n        the Azure subscription ID (required)\n"));
}
END_TEST

START_TEST(fini_leaves_nothing_and_may_come_twice)
{
    ck_assert_int_eq(load(ENV(SUB), ARGS("-H", "a"), NULL), 0);
    skl_options_fini(tables, 2);
    ck_assert_ptr_null(core.hosts);
    ck_assert_ptr_null(core.dir);
    ck_assert_ptr_null(cloud.subscription);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("option");
    TCase *t = tcase_create("option");
    SRunner *sr = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, NULL, fini);
    tcase_add_test(t, defaults_fill_what_nobody_says);
    tcase_add_test(t, the_command_line_wins_over_the_environment);
    tcase_add_test(t, lists_split_at_commas_and_drop_the_empty);
    tcase_add_test(t, a_flag_may_be_set_to_nothing);
    tcase_add_loop_test(t, mistakes_are_one_line_that_names_the_setting, 0, 11);
    tcase_add_test(t, printing_shows_everything_but_secrets);
    tcase_add_test(t, help_has_every_row_under_its_heading);
    tcase_add_test(t, fini_leaves_nothing_and_may_come_twice);
    suite_add_tcase(s, t);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
