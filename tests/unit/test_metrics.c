/* Metrics: series, histograms, the text; many threads at once. Conditions. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/condition.h"
#include "base/metrics.h"
#include "base/str.h"

#define THREADS 4
#define ROUNDS  20000

static struct skl_metric counted = {.name = "t_counted_total",
                                    .help = "Counted.",
                                    .type = SKL_METRIC_COUNTER,
                                    .labels = {"a", "b"}};
static struct skl_metric plain = {.name = "t_plain", .help = "Plain.", .type = SKL_METRIC_GAUGE};
static struct skl_metric timed = {
    .name = "t_seconds", .help = "Timed.", .type = SKL_METRIC_HISTOGRAM, .labels = {"op"}};
static struct skl_metric wide = {
    .name = "t_wide_total", .help = "Wide.", .type = SKL_METRIC_COUNTER, .labels = {"x"}};
static struct skl_metric raced = {
    .name = "t_raced_total", .help = "Raced.", .type = SKL_METRIC_COUNTER, .labels = {"x"}};
static struct skl_metric *const table[] = {&counted, &plain, &timed};

static bool has(const struct skl_buf *b, const char *line)
{
    return strstr(b->p, line) != NULL;
}

START_TEST(text_is_prometheus)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_series_add(skl_metric_series(&counted, "q\"uote", "back\\slash\nline", NULL), 2);
    skl_series_add(skl_metric_series(&counted, "q\"uote", "other", NULL), 1);
    skl_metric_add(&plain, 5);
    skl_metric_add(&plain, -7);
    skl_series_observe(skl_metric_series(&timed, "x", NULL, NULL), 100); /* on the first bound */
    skl_series_observe(skl_metric_series(&timed, "x", NULL, NULL), 101); /* behind it */
    skl_series_observe(skl_metric_series(&timed, "x", NULL, NULL), 500000000); /* above all */
    skl_metrics_register(table, SKL_ARRAY_LEN(table));
    skl_metrics_register(table, SKL_ARRAY_LEN(table)); /* shown once all the same */
    skl_buf_init(&b, 1 << 20);
    skl_metrics_render(&b);
    ck_assert(has(&b, "# HELP t_counted_total Counted.\n# TYPE t_counted_total counter\n"));
    ck_assert(has(&b, "t_counted_total{a=\"q\\\"uote\",b=\"back\\\\slash\\nline\"} 2\n"));
    ck_assert(has(&b, "t_counted_total{a=\"q\\\"uote\",b=\"other\"} 1\n"));
    ck_assert(has(&b, "# TYPE t_plain gauge\nt_plain -2\n"));
    ck_assert(has(&b, "t_seconds_bucket{op=\"x\",le=\"0.0001\"} 1\n"));
    ck_assert(has(&b, "t_seconds_bucket{op=\"x\",le=\"0.00025\"} 2\n"));
    ck_assert(has(&b, "t_seconds_bucket{op=\"x\",le=\"120\"} 2\n"));
    ck_assert(has(&b, "t_seconds_bucket{op=\"x\",le=\"+Inf\"} 3\n"));
    ck_assert(has(&b, "t_seconds_sum{op=\"x\"} 500.000201\nt_seconds_count{op=\"x\"} 3\n"));
    ck_assert_ptr_eq(strstr(strstr(b.p, "# TYPE t_plain ") + 1, "# TYPE t_plain "), NULL);
}
END_TEST

START_TEST(series_are_bounded)
{
    struct skl_series *other;
    char name[32];

    for (int i = 0; i < SKL_METRIC_MAX_SERIES; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        skl_series_add(skl_metric_series(&wide, name, NULL, NULL), 1);
    }
    other = skl_metric_series(&wide, "one more", NULL, NULL);
    ck_assert_str_eq(other->labels[0], "other");
    ck_assert_ptr_eq(skl_metric_series(&wide, "and another", NULL, NULL), other);
    ck_assert_str_eq(skl_metric_series(&wide, "n7", NULL, NULL)->labels[0], "n7");
}
END_TEST

static void *race(void *arg)
{
    char name[16];

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "%d", i % 100);
        skl_series_add(skl_metric_series(&raced, name, NULL, NULL), 1);
    }
    return arg;
}

START_TEST(threads_share_series)
{
    pthread_t threads[THREADS];
    int64_t total = 0;
    unsigned n = 0;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (struct skl_series *s = atomic_load(&raced.first); s; s = s->next, n++)
        total += atomic_load(&s->value);
    ck_assert_uint_eq(n, 100);
    ck_assert_int_eq(total, THREADS * ROUNDS);
}
END_TEST

START_TEST(a_condition_tells_its_last_failure)
{
    static struct skl_condition c = {.name = "thing"};
    struct skl_condition seen;

    skl_condition_read(&c, &seen);
    ck_assert_int_eq(atomic_load(&seen.state), SKL_CONDITION_UNKNOWN);
    skl_condition_report(&c, true, NULL);
    ck_assert(!skl_condition_is_failing(&c));
    skl_condition_report(&c, false, "broken: %d", 7);
    ck_assert(skl_condition_is_failing(&c));
    skl_condition_report(&c, false, NULL); /* still */
    skl_condition_read(&c, &seen);
    ck_assert_str_eq(seen.detail, "broken: 7");
    skl_condition_report(&c, true, NULL);
    skl_condition_read(&c, &seen);
    ck_assert_str_eq(seen.detail, "");
    skl_condition_report(&c, true, "fine");
    skl_condition_report(&c, true, NULL);
    skl_condition_read(&c, &seen);
    ck_assert_str_eq(seen.detail, "fine");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_test(t, text_is_prometheus);
    tcase_add_test(t, series_are_bounded);
    tcase_add_test(t, threads_share_series);
    tcase_add_test(t, a_condition_tells_its_last_failure);
    suite_add_tcase(s, t);
    srunner_set_tap(r, "-");
    srunner_run_all(r, CK_SILENT);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed > 0;
}
