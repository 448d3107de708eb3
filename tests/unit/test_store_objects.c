/* Networks, volumes, images and execs. */
#include "store_helper.h"

#include "base/clock.h"
#include "store/store_internal.h"

static struct fixture f;

static void setup(void)
{
    store_setup(&f);
}

static void teardown(void)
{
    store_teardown(&f);
}

/* -- networks */

static struct skl_network *network(const char *name)
{
    struct skl_network *n = NULL;

    ck_assert_msg(skl_network_find(f.s, name, &n, &f.err) == 0, "%s", f.err.msg);
    return n;
}

static int try_network(const char *name, const char *subnet, struct skl_network **ret)
{
    struct skl_network *n = skl_network_new();

    n->name = skl_strdup(name);
    n->subnet = skl_strdup(subnet);
    return skl_network_add(f.s, n, ret, &f.err);
}

static struct skl_network *add_network(const char *name)
{
    struct skl_network *n = NULL;

    ck_assert_msg(try_network(name, NULL, &n) == 0, "%s", f.err.msg);
    return n;
}

START_TEST(three_networks_are_always_there)
{
    struct skl_network *n;

    ck_assert_str_eq(network("bridge")->gateway, "172.17.0.1");
    ck_assert_str_eq(network("host")->subnet, "");
    ck_assert_str_eq(network("none")->driver, "null");
    ck_assert_int_eq(skl_network_remove(f.s, network("none"), &f.err), -SKL_E_FORBIDDEN);
    ck_assert_str_eq(f.err.msg, "none is a pre-defined network and cannot be removed");
    ck_assert_int_eq(try_network("host", NULL, &n), -SKL_E_FORBIDDEN);
    ck_assert_str_eq(f.err.msg, "operation is not permitted on predefined host network ");
}
END_TEST

START_TEST(lookup_fails_with_dockers_texts)
{
    struct skl_network *n;

    for (int i = 0; i < 2; i++) {
        n = skl_network_new();
        memcpy(n->id, "abcdef0123", 10); /* both begin alike */
        n->name = skl_strdup(i ? "one" : "two");
        ck_assert_int_eq(skl_network_add(f.s, n, &n, &f.err), 0);
    }
    ck_assert_int_eq(skl_network_find(f.s, "abcdef0", &n, &f.err), -SKL_E_INVALID);
    ck_assert_str_eq(f.err.msg,
                     "network abcdef0 is ambiguous (2 matches found based on ID prefix)");
    ck_assert_int_eq(skl_network_find(f.s, "nope", &n, &f.err), -SKL_E_NOTFOUND);
    ck_assert_str_eq(f.err.msg, "network nope not found");
    ck_assert_int_eq(try_network("one", NULL, &n), -SKL_E_CONFLICT);
    ck_assert_str_eq(f.err.msg, "network with name one already exists");
    ck_assert_int_eq(try_network("", NULL, &n), -SKL_E_INVALID);
    ck_assert_str_eq(f.err.msg, "invalid name: ");
}
END_TEST

START_TEST(subnets_are_the_next_free_ones)
{
    struct skl_network *a = add_network("net-a"), *b = add_network("net-b"), *n;

    ck_assert_str_eq(a->subnet, "172.18.0.0/16");
    ck_assert_str_eq(a->gateway, "172.18.0.1");
    ck_assert_str_eq(b->subnet, "172.19.0.0/16");
    ck_assert_int_eq(skl_network_remove(f.s, a, &f.err), 0);
    ck_assert_str_eq(add_network("net-c")->subnet, "172.18.0.0/16");
    ck_assert_int_eq(try_network("net-d", "172.19.5.0/24", &n), -SKL_E_FORBIDDEN);
    ck_assert_int_eq(try_network("net-d", "172.19.5.0", &n), -SKL_E_INVALID);
    ck_assert_int_eq(try_network("net-d", "10.0.0.0/33", &n), -SKL_E_INVALID);
    ck_assert_int_eq(try_network("net-d", "10.1.2.0/24", &n), 0);
    ck_assert_str_eq(n->gateway, "10.1.2.1");
    for (int i = 0; i < 60; i++) {
        char name[16];

        snprintf(name, sizeof(name), "many%d", i);
        ck_assert_ptr_nonnull(strchr(add_network(name)->subnet, '/'));
    }
}
END_TEST

static const char *ip_of(struct skl_container *c, const char *name)
{
    return skl_network_endpoint(network(name), c)->ip;
}

static struct skl_container *connected(const char *name, const char *net, const char *request)
{
    struct skl_container *c = add_container(&f, name);

    ck_assert_int_eq(skl_network_connect(f.s, network(net), c, NULL, request, &f.err), 0);
    return c;
}

START_TEST(addresses_are_the_lowest_free_ones_while_running)
{
    struct skl_container *a = connected("a", "bridge", NULL), *b = connected("b", "bridge", NULL),
                         *c = connected("c", "bridge", NULL);

    ck_assert_str_eq(ip_of(a, "bridge"), "");
    run_container(&f, a);
    run_container(&f, b);
    ck_assert_str_eq(ip_of(a, "bridge"), "172.17.0.2");
    ck_assert_str_eq(ip_of(b, "bridge"), "172.17.0.3");
    ck_assert_str_eq(a->endpoints[0].mac, "02:42:ac:11:00:02");
    ck_assert_uint_eq(strlen(a->endpoints[0].endpoint_id), 64);
    skl_network_release_addresses(f.s, a);
    skl_network_release_addresses(f.s, a);
    ck_assert_str_eq(a->endpoints[0].endpoint_id, "");
    run_container(&f, c);
    ck_assert_str_eq(ip_of(c, "bridge"), "172.17.0.2");
}
END_TEST

#define WANTED "{\"IPAMConfig\":{\"IPv4Address\":\"10.9.0.9\"}}"

static void not_startable(struct skl_container *c, int rc, const char *message)
{
    ck_assert_int_eq(skl_container_starting(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_network_assign_addresses(f.s, c, &f.err), rc);
    ck_assert_str_eq(f.err.msg, message);
    ck_assert_str_eq(c->endpoints[0].endpoint_id, "");
    ck_assert_int_eq(skl_container_start_failed(f.s, c, 128, f.err.msg, &f.err), 0);
}

START_TEST(a_wanted_address_is_given_when_it_is_free_or_the_start_fails)
{
    struct skl_network *n = NULL;
    struct skl_container *a, *b;

    ck_assert_int_eq(try_network("net", "10.9.0.0/24", &n), 0);
    a = connected("a", "net", WANTED);
    b = connected("b", "net", WANTED);
    run_container(&f, a);
    ck_assert_str_eq(ip_of(a, "net"), "10.9.0.9");
    not_startable(b, -SKL_E_FORBIDDEN, "Address already in use");
    skl_network_release_addresses(f.s, a);
    run_container(&f, b);
    ck_assert_str_eq(ip_of(b, "net"), "10.9.0.9");
}
END_TEST

START_TEST(an_address_of_ours_is_never_one_that_was_asked_for_before)
{
    struct skl_network *n = skl_network_new();
    struct skl_container *c;

    n->name = skl_strdup("net");
    n->subnet = skl_strdup("10.9.0.0/24");
    n->range = skl_strdup("10.9.0.8/29");
    skl_labels_set(&n->aux, "router", "10.9.0.10");
    ck_assert_int_eq(skl_network_add(f.s, n, &n, &f.err), 0);
    ck_assert_str_eq(n->gateway, "10.9.0.8"); /* the first of the range */
    run_container(&f, connected("a", "net", WANTED));
    c = connected("b", "net", NULL);
    run_container(&f, c);
    ck_assert_str_eq(ip_of(c, "net"), "10.9.0.11");
    c = connected("c", "net", "{\"IPAMConfig\":{\"IPv4Address\":\"10.9.0.200\"}}");
    run_container(&f, c);
    ck_assert_str_eq(ip_of(c, "net"), "10.9.0.200"); /* what is asked for may lie outside */
    for (int i = 12; i < 16; i++) {
        char name[8], ip[16];

        snprintf(name, sizeof(name), "x%d", i);
        snprintf(ip, sizeof(ip), "10.9.0.%d", i);
        c = connected(name, "net", NULL);
        run_container(&f, c);
        ck_assert_str_eq(ip_of(c, "net"), ip);
    }
    ck_assert_int_eq(skl_container_starting(f.s, connected("y", "net", NULL), &f.err), 0);
    ck_assert_int_eq(skl_network_assign_addresses(f.s, named(&f, "y"), &f.err), -SKL_E_INTERNAL);
}
END_TEST

START_TEST(a_full_network_lets_nobody_start)
{
    struct skl_network *n = NULL;
    struct skl_container *c = NULL;
    char wanted[256];

    ck_assert_int_eq(try_network("tiny", "10.9.0.0/30", &n), 0);
    c = connected("a", "tiny", NULL);
    run_container(&f, c);
    ck_assert_str_eq(ip_of(c, "tiny"), "10.9.0.2"); /* .1 is the gateway, .3 is for broadcasts */
    snprintf(wanted, sizeof(wanted),
             "no available IPv4 addresses on this network's address pools: tiny (%s)", n->id);
    not_startable(connected("b", "tiny", NULL), -SKL_E_INTERNAL, wanted);
    c = connected("c", "host", NULL);
    run_container(&f, c);
    ck_assert_str_eq(ip_of(c, "host"), "");
}
END_TEST

START_TEST(addresses_outlive_a_restart_of_the_daemon)
{
    struct skl_container *a = connected("a", "bridge", NULL), *b = connected("b", "bridge", NULL);

    run_container(&f, a);
    run_container(&f, b);
    ck_assert_int_eq(
        skl_container_exited(f.s, a, &(struct skl_end){.rank = SKL_END_AGENT}, false, &f.err), 0);
    store_reopen(&f); /* before the address of a was taken back */
    ck_assert_str_eq(ip_of(named(&f, "a"), "bridge"), "");
    ck_assert_str_eq(ip_of(named(&f, "b"), "bridge"), "172.17.0.3");
    run_container(&f, named(&f, "a"));
    ck_assert_str_eq(ip_of(named(&f, "a"), "bridge"), "172.17.0.2");
}
END_TEST

START_TEST(connecting_follows_dockers_rules)
{
    struct skl_network *n = add_network("net-a");
    struct skl_container *c = add_container(&f, "a");
    char wanted[256];

    run_container(&f, c);
    skl_buf_reset(&f.events);
    ck_assert_int_eq(skl_network_connect(f.s, n, c, NULL, NULL, &f.err), 0);
    expect_events(&f, "network connect\n");
    ck_assert_str_eq(ip_of(c, "net-a"), "172.18.0.2");
    ck_assert_int_eq(skl_network_connect(f.s, n, c, NULL, NULL, &f.err), -SKL_E_FORBIDDEN);
    ck_assert_str_eq(f.err.msg, "endpoint with name a already exists in network net-a");
    ck_assert_int_eq(skl_network_remove(f.s, n, &f.err), -SKL_E_FORBIDDEN);
    snprintf(wanted, sizeof(wanted),
             "error while removing network: network net-a id %s has active endpoints", n->id);
    ck_assert_str_eq(f.err.msg, wanted);
    ck_assert_int_eq(skl_network_disconnect(f.s, n, c, &f.err), 0);
    expect_events(&f, "network disconnect\n");
    ck_assert_int_eq(skl_network_disconnect(f.s, n, c, &f.err), -SKL_E_INTERNAL);
    snprintf(wanted, sizeof(wanted), "container %s is not connected to network net-a", c->id);
    ck_assert_str_eq(f.err.msg, wanted);
    ck_assert_int_eq(skl_network_remove(f.s, n, &f.err), 0);
    expect_events(&f, "network destroy\n");
}
END_TEST

/* -- volumes */

START_TEST(a_volume_that_is_mounted_stays)
{
    struct skl_volume *v = skl_volume_new(), *again = skl_volume_new();
    struct skl_container *c = skl_container_new();
    char wanted[256];

    v->name = skl_strdup("data");
    skl_labels_set(&v->labels, "k", "v");
    ck_assert_int_eq(skl_volume_add(f.s, v, &v, &f.err), 0);
    again->name = skl_strdup("data");
    ck_assert_int_eq(skl_volume_add(f.s, again, &again, &f.err), 0);
    ck_assert_ptr_eq(again, v);
    c->name = skl_strdup("a");
    c->spec.mounts = skl_new0_n(struct skl_mount, 1);
    c->spec.n_mounts = 1;
    c->spec.mounts[0] = (struct skl_mount){
        .type = skl_strdup("volume"), .name = skl_strdup("data"), .destination = skl_strdup("/d")};
    ck_assert_int_eq(skl_container_add(f.s, c, &f.err), 0);
    ck_assert_uint_eq(skl_volume_users(f.s, v), 1);
    ck_assert_int_eq(skl_volume_remove(f.s, v, &f.err), -SKL_E_CONFLICT);
    snprintf(wanted, sizeof(wanted), "remove data: volume is in use - [%s]", c->id);
    ck_assert_str_eq(f.err.msg, wanted);
    store_reopen(&f);
    v = skl_volume_find(f.s, "data");
    ck_assert_str_eq(skl_labels_get(&v->labels, "k"), "v");
    c = named(&f, "a");
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_container_removed(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_volume_remove(f.s, v, &f.err), 0);
    ck_assert_ptr_null(skl_volume_find(f.s, "data"));
}
END_TEST

/* -- images */

static struct skl_image *image(char digit, const char *ref, bool synthetic)
{
    struct skl_image *i = skl_image_new(), *stored = NULL;

    memcpy(i->id, "sha256:", 7);
    memset(i->id + 7, digit, 64);
    skl_strv_push(&i->refs, ref);
    i->config_json = skl_strdup(synthetic ? "{}" : "{\"real\":1}");
    i->synthetic = synthetic;
    ck_assert_int_eq(skl_image_add(f.s, i, &stored, &f.err), 0);
    return stored;
}

START_TEST(images_are_found_by_all_their_names)
{
    struct skl_image *a = image('a', "alpine:latest", false), *b = image('b', "busybox:1", false);
    char digest[128];

    snprintf(digest, sizeof(digest), "alpine@%s", b->id);
    skl_strv_push(&a->digests, digest);
    {
        struct skl_image *again = skl_image_new();

        memcpy(again->id, a->id, sizeof(a->id));
        skl_strv_push(&again->digests, digest);
        ck_assert_int_eq(skl_image_add(f.s, again, &again, &f.err), 0);
        ck_assert_ptr_eq(again, a);
    }
    ck_assert_ptr_eq(skl_image_find(f.s, a->id), a);
    ck_assert_ptr_eq(skl_image_find(f.s, "alpine:latest"), a);
    ck_assert_ptr_eq(skl_image_find(f.s, digest), a);
    ck_assert_ptr_eq(skl_image_find(f.s, "aa"), a);
    ck_assert_ptr_eq(skl_image_find(f.s, "sha256:bb"), b);
    ck_assert_ptr_null(skl_image_find(f.s, "sha256:"));
    ck_assert_ptr_null(skl_image_find(f.s, "alpine"));
    ck_assert_uint_eq(skl_image_count(f.s), 2);
}
END_TEST

START_TEST(a_reference_belongs_to_one_image)
{
    struct skl_image *a = image('a', "x:1", false), *b = image('b', "x:1", false);

    ck_assert_ptr_eq(skl_image_find(f.s, "x:1"), b);
    ck_assert_uint_eq(skl_strv_len(a->refs), 0); /* dangling now */
    ck_assert_int_eq(skl_image_tag(f.s, a, "x:1", &f.err), 0);
    ck_assert_int_eq(skl_image_tag(f.s, a, "y:1", &f.err), 0);
    ck_assert_ptr_eq(skl_image_find(f.s, "x:1"), a);
    ck_assert_uint_eq(skl_strv_len(b->refs), 0);
    store_reopen(&f);
    a = skl_image_find(f.s, "aa");
    b = skl_image_find(f.s, "bb");
    ck_assert_ptr_eq(skl_image_find(f.s, "x:1"), a);
    ck_assert_uint_eq(skl_strv_len(b->refs), 0);
    ck_assert_int_eq(skl_image_untag(f.s, a, a->refs[0], &f.err), 0);
    ck_assert_ptr_null(skl_image_find(f.s, "x:1"));
    ck_assert_int_eq(skl_image_remove(f.s, a, &f.err), 0);
    ck_assert_ptr_null(skl_image_find(f.s, "y:1"));
    ck_assert_uint_eq(skl_image_count(f.s), 1);
}
END_TEST

START_TEST(a_guess_does_not_replace_a_fact)
{
    struct skl_image *a = image('a', "x:1", true);

    ck_assert(a->synthetic);
    image('a', "x:2", false);
    ck_assert(!a->synthetic);
    ck_assert_str_eq(a->config_json, "{\"real\":1}");
    image('a', "x:3", true);
    ck_assert(!a->synthetic);
    ck_assert_str_eq(a->config_json, "{\"real\":1}");
    ck_assert_uint_eq(skl_strv_len(a->refs), 3);
}
END_TEST

/* -- execs */

static struct skl_exec *add_exec(struct skl_container *c)
{
    struct skl_exec *x = skl_exec_new();

    snprintf(x->container_id, sizeof(x->container_id), "%s", c->id);
    skl_strv_push(&x->argv, "sh");
    skl_strv_push(&x->argv, "-c");
    skl_strv_push(&x->argv, "exit 3");
    ck_assert_int_eq(skl_exec_add(f.s, x, &f.err), 0);
    return x;
}

START_TEST(an_exec_tells_its_life)
{
    struct skl_container *c = add_container(&f, "a");
    struct skl_exec *x;
    char **ids;
    char id[65];

    run_container(&f, c);
    skl_buf_reset(&f.events);
    x = add_exec(c);
    snprintf(id, sizeof(id), "%s", x->id);
    ck_assert_int_eq(skl_exec_started(f.s, x, &f.err), 0);
    ck_assert_int_eq(skl_exec_started(f.s, x, &f.err), -SKL_E_CONFLICT);
    ids = skl_exec_running_ids(f.s, c->id);
    ck_assert_uint_eq(skl_strv_len(ids), 1);
    skl_strv_free(ids);
    ck_assert_int_eq(skl_exec_ended(f.s, x, 3, &f.err), 0);
    ck_assert_int_eq(skl_exec_ended(f.s, x, 4, &f.err), 0); /* the first report counts */
    ck_assert_ptr_null(skl_exec_running_ids(f.s, c->id));
    expect_events(&f, "container exec_create: sh -c exit 3\ncontainer exec_start: sh -c exit 3\n"
                      "container exec_die\n");
    store_reopen(&f);
    x = skl_exec_find(f.s, id);
    ck_assert(x->has_exit_code && !x->running);
    ck_assert_int_eq(x->exit_code, 3);
    ck_assert_str_eq(x->argv[2], "exit 3");
}
END_TEST

START_TEST(ended_execs_go_after_five_minutes)
{
    struct skl_container *c = add_container(&f, "a");
    struct skl_exec *ended = add_exec(c), *held = add_exec(c), *fresh = add_exec(c);
    char id[65];
    int owner;

    snprintf(id, sizeof(id), "%s", ended->id);
    ck_assert_int_eq(skl_exec_ended(f.s, ended, 0, &f.err), 0);
    ck_assert_int_eq(skl_exec_ended(f.s, held, 0, &f.err), 0);
    held->live = &owner;
    skl_execs_prune(f.s, skl_mono_ms() + 299 * 1000);
    ck_assert_ptr_nonnull(skl_exec_find(f.s, id));
    skl_execs_prune(f.s, skl_mono_ms() + 400 * 1000);
    ck_assert_ptr_null(skl_exec_find(f.s, id));
    ck_assert_ptr_nonnull(skl_exec_find(f.s, held->id));
    ck_assert_ptr_nonnull(skl_exec_find(f.s, fresh->id));
    held->live = NULL;
    store_reopen(&f);
    ck_assert_ptr_null(skl_exec_find(f.s, id));
    ck_assert_uint_eq(f.s->execs_by_id.n, 2);
}
END_TEST

START_TEST(execs_go_with_their_container_unless_held)
{
    struct skl_container *c = add_container(&f, "a");
    struct skl_exec *x = add_exec(c), *held = add_exec(c);
    char id[65];
    int owner;

    snprintf(id, sizeof(id), "%s", x->id);
    held->live = &owner;
    ck_assert_int_eq(skl_container_removing(f.s, c, &f.err), 0);
    ck_assert_int_eq(skl_container_removed(f.s, c, &f.err), 0);
    ck_assert_ptr_null(skl_exec_find(f.s, id));
    ck_assert_ptr_null(skl_exec_find(f.s, held->id));
    ck_assert(held->dropped);
    skl_exec_free(held); /* by its holder */
    store_reopen(&f);
    ck_assert_uint_eq(f.s->execs_by_id.n, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_objects");
    TCase *tc = tcase_create("objects");
    SRunner *sr = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, three_networks_are_always_there);
    tcase_add_test(tc, lookup_fails_with_dockers_texts);
    tcase_add_test(tc, subnets_are_the_next_free_ones);
    tcase_add_test(tc, addresses_are_the_lowest_free_ones_while_running);
    tcase_add_test(tc, a_wanted_address_is_given_when_it_is_free_or_the_start_fails);
    tcase_add_test(tc, an_address_of_ours_is_never_one_that_was_asked_for_before);
    tcase_add_test(tc, a_full_network_lets_nobody_start);
    tcase_add_test(tc, addresses_outlive_a_restart_of_the_daemon);
    tcase_add_test(tc, connecting_follows_dockers_rules);
    tcase_add_test(tc, a_volume_that_is_mounted_stays);
    tcase_add_test(tc, images_are_found_by_all_their_names);
    tcase_add_test(tc, a_reference_belongs_to_one_image);
    tcase_add_test(tc, a_guess_does_not_replace_a_fact);
    tcase_add_test(tc, an_exec_tells_its_life);
    tcase_add_test(tc, ended_execs_go_after_five_minutes);
    tcase_add_test(tc, execs_go_with_their_container_unless_held);
    suite_add_tcase(suite, tc);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
