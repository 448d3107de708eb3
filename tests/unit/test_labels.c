#include <check.h>

#include "base/alloc.h"
#include "store/labels.h"

START_TEST(set_keeps_the_order_of_names)
{
    struct skl_labels l = {0};

    skl_labels_set(&l, "b", "2");
    skl_labels_set(&l, "c", "3");
    skl_labels_set(&l, "a", "1");
    ck_assert_uint_eq(skl_labels_count(&l), 3);
    ck_assert_str_eq(l.pairs[0], "a");
    ck_assert_str_eq(l.pairs[2], "b");
    ck_assert_str_eq(l.pairs[5], "3");
    ck_assert_ptr_null(l.pairs[6]);
    skl_labels_fini(&l);
}
END_TEST

START_TEST(set_replaces_and_null_takes_out)
{
    struct skl_labels l = {0};

    skl_labels_set(&l, "a", "1");
    skl_labels_set(&l, "a", "");
    ck_assert_str_eq(skl_labels_get(&l, "a"), "");
    skl_labels_set(&l, "b", NULL);
    ck_assert_uint_eq(skl_labels_count(&l), 1);
    skl_labels_remove(&l, l.pairs[0]); /* the name lies in what is changed */
    ck_assert_uint_eq(skl_labels_count(&l), 0);
    ck_assert_ptr_null(l.pairs);
}
END_TEST

START_TEST(set_may_use_text_of_the_set_itself)
{
    struct skl_labels l = {0};

    skl_labels_set(&l, "a", "1");
    skl_labels_set(&l, "b", "2");
    skl_labels_set(&l, l.pairs[2], l.pairs[1]);
    ck_assert_str_eq(skl_labels_get(&l, "b"), "1");
    skl_labels_copy(&l, &l);
    ck_assert_uint_eq(skl_labels_count(&l), 2);
    skl_labels_fini(&l);
}
END_TEST

START_TEST(build_sorts_and_the_last_of_equals_counts)
{
    char *pairs[] = {(char[]){"z"}, (char[]){"1"}, (char[]){"a"}, (char[]){"2"},
                     (char[]){"z"}, (char[]){"3"}, NULL};
    struct skl_labels l = {0};

    skl_labels_build(&l, pairs);
    ck_assert_uint_eq(skl_labels_count(&l), 2);
    ck_assert_str_eq(l.pairs[0], "a");
    ck_assert_str_eq(skl_labels_get(&l, "z"), "3");
    skl_labels_build(&l, NULL);
    ck_assert_uint_eq(skl_labels_count(&l), 0);
    skl_labels_fini(&l);
}
END_TEST

START_TEST(match_takes_names_and_pairs)
{
    struct skl_labels l = {0};

    skl_labels_set(&l, "a", "b=c");
    skl_labels_set(&l, "empty", "");
    ck_assert(skl_labels_match(&l, "a"));
    ck_assert(skl_labels_match(&l, "a=b=c"));
    ck_assert(!skl_labels_match(&l, "a=b"));
    ck_assert(!skl_labels_match(&l, "a="));
    ck_assert(skl_labels_match(&l, "empty="));
    ck_assert(!skl_labels_match(&l, "no"));
    skl_labels_fini(&l);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("labels");
    TCase *tc = tcase_create("labels");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_add_test(tc, set_keeps_the_order_of_names);
    tcase_add_test(tc, set_replaces_and_null_takes_out);
    tcase_add_test(tc, set_may_use_text_of_the_set_itself);
    tcase_add_test(tc, build_sorts_and_the_last_of_equals_counts);
    tcase_add_test(tc, match_takes_names_and_pairs);
    suite_add_tcase(suite, tc);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
