/* build: contexts that mean harm, what COPY and ADD make of files, and what stays the same from build to build. */
#include <check.h>

#include "build/layer.h"
#include "build_helper.h"

static struct builder b;
static struct skl_buf body;

static void setup(void)
{
    builder_init(&b);
    skl_buf_init(&body, 16u << 20);
}

static void teardown(void)
{
    builder_fini(&b);
    skl_buf_fini(&body);
}

static void member(struct skl_tar_entry e, const char *data)
{
    e.linkname = e.linkname ? e.linkname : "";
    e.uname = e.gname = "";
    e.mode = e.mode ? e.mode : 0644;
    e.size = data ? (int64_t)strlen(data) : e.size;
    ck_assert_int_eq(skl_tar_write_header(&body, &e, NULL), 0);
    if (data) {
        skl_buf_adds(&body, data);
        skl_tar_write_padding(&body, e.size);
    }
}

static void file(const char *name, const char *data)
{
    member((struct skl_tar_entry){.type = SKL_TAR_FILE, .name = name}, data);
}

static void symlink_to(const char *name, const char *target)
{
    member((struct skl_tar_entry){.type = SKL_TAR_SYMLINK, .name = name, .linkname = target}, NULL);
}

static int run(void)
{
    int rc;

    skl_tar_write_end(&body);
    rc = builder_run(&b, skl_buf_str(&body));
    skl_buf_reset(&body);
    return rc;
}

static void must_run(void)
{
    int rc = run();

    ck_assert_msg(rc == 0, "%s", b.err.msg);
}

static void must_fail(const char *why)
{
    ck_assert_int_lt(run(), 0);
    ck_assert_msg(strstr(b.err.msg, why) != NULL, "%s", b.err.msg);
}

/* The members of the image's layer n: "name mode owner into? data", sorted as they are in the tar. */
static const char *layer(size_t n)
{
    static struct skl_buf out;
    struct skl_build_result r;
    struct skl_tree *tree = skl_tree_new();
    const struct skl_node **nodes;
    char path[512];
    size_t count;
    int fd;

    skl_buf_fini(&out);
    skl_buf_init(&out, 1u << 20);
    skl_build_finish(b.build, &r);
    ck_assert_uint_lt(n, skl_strv_len(r.layers));
    snprintf(path, sizeof(path), "%s/%s.layer", b.scratch, r.layers[n]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(skl_tree_add_tar(tree, fd, -1, true, 1 << 20, NULL), 0);
    count = skl_tree_list(tree, &nodes);
    for (size_t i = 0; i < count; i++) {
        SKL_AUTO_BUF struct skl_buf data = {0};

        skl_buf_addf(&out, "%s%s%o", i ? "; " : "", nodes[i]->if_missing ? "?" : "",
                     nodes[i]->mode);
        skl_buf_addf(&out, " %s", nodes[i]->path);
        if (nodes[i]->owner)
            skl_buf_addf(&out, " %s", nodes[i]->owner);
        else if (nodes[i]->uid || nodes[i]->gid)
            skl_buf_addf(&out, " %d:%d", (int)nodes[i]->uid, (int)nodes[i]->gid);
        if (nodes[i]->into)
            skl_buf_addf(&out, " into %s", nodes[i]->into);
        if (nodes[i]->link)
            skl_buf_addf(&out, " -> %s", nodes[i]->link);
        if (nodes[i]->type == SKL_NODE_FILE) {
            ck_assert_int_eq(skl_tree_read(nodes[i], 4096, &data, NULL), 0);
            skl_buf_addf(&out, " =%s", data.p);
        }
    }
    skl_tree_free(tree);
    close(fd);
    return out.p;
}

/* -- contexts */

START_TEST(a_context_cannot_leave_its_root)
{
    file("Dockerfile", "FROM x\nCOPY a /\n");
    file("../escape", "x");
    must_fail("..");
    file("Dockerfile", "FROM x\nCOPY link /\n");
    symlink_to("link", "../../../etc/passwd");
    must_fail("file not found in build context");
    file("Dockerfile", "FROM x\nCOPY d/f /copied\n");
    symlink_to("d", "/../real");
    file("real/f", "inside");
    must_run();
    ck_assert_str_eq(layer(0), "644 copied into f =inside");
}
END_TEST

START_TEST(loops_of_links_end)
{
    file("Dockerfile", "FROM x\nCOPY a/f /\n");
    symlink_to("a", "b");
    symlink_to("b", "a");
    must_fail("file not found");
    file("Dockerfile", "FROM x\nCOPY a/f /\n");
    symlink_to("a", "a/a");
    must_fail("file not found");
}
END_TEST

START_TEST(odd_members_are_refused)
{
    file("Dockerfile", "FROM x\n");
    member((struct skl_tar_entry){.type = SKL_TAR_HARDLINK, .name = "h", .linkname = "nowhere"},
           NULL);
    must_fail("not in the archive");
    file("Dockerfile", "FROM x\n");
    member((struct skl_tar_entry){.type = SKL_TAR_CHARDEV, .name = "null", .devmajor = 1}, NULL);
    must_fail("device");
    file("Dockerfile", "FROM x\n");
    member((struct skl_tar_entry){.type = SKL_TAR_FILE,
                                  .name = "huge",
                                  .size = SKL_BUILD_MAX_CONTEXT + 1},
           NULL);
    must_fail("larger");
    skl_buf_adds(&body, "this is no archive, however long it is");
    for (int i = 0; i < 100; i++)
        skl_buf_adds(&body, "........................................");
    must_fail("no tar archive");
    must_fail("Cannot locate specified Dockerfile: Dockerfile");
}
END_TEST

START_TEST(the_newest_member_of_a_name_counts)
{
    file("Dockerfile", "FROM x\nCOPY d /d\n");
    file("d/a", "old");
    file("d/sub", "a file");
    file("d/a", "new");
    file("d/sub/f", "below");
    must_run();
    ck_assert_str_eq(layer(0), "?755 d; 644 d/a =new; 644 d/sub/f =below");
}
END_TEST

START_TEST(turning_directories_into_files_is_bounded)
{
    file("Dockerfile", "FROM x\n");
    for (unsigned i = 0; i <= SKL_TREE_MAX_TURNS; i++) {
        member((struct skl_tar_entry){.type = SKL_TAR_DIR, .name = "d"}, NULL);
        file("d", "");
    }
    must_fail("replaced by files");
}
END_TEST

START_TEST(hard_links_are_copies)
{
    file("Dockerfile", "FROM x\nCOPY h /to/\n");
    file("a", "text");
    member((struct skl_tar_entry){.type = SKL_TAR_HARDLINK, .name = "h", .linkname = "a"}, NULL);
    must_run();
    ck_assert_str_eq(layer(0), "?755 to; 644 to/h =text");
}
END_TEST

START_TEST(marks_of_strangers_do_not_count)
{
    const struct skl_tar_xattr marks[] = {{SKL_LAYER_OWNER, SKL_STR("root")},
                                          {SKL_LAYER_INTO, SKL_STR("../x")}};

    file("Dockerfile", "FROM x\nCOPY d /d\n");
    member(
        (struct skl_tar_entry){.type = SKL_TAR_FILE, .name = "d/f", .xattrs = marks, .n_xattrs = 2},
        "x");
    must_run();
    ck_assert_str_eq(layer(0), "?755 d; 644 d/f =x");
}
END_TEST

START_TEST(what_is_ignored_is_not_copied)
{
    static const char *const dirs[] = {"a", "a/b", "gone", "gone/deep", "keep", "keep/x"};

    file("Dockerfile", "FROM x\nCOPY . /c\n");
    file(".dockerignore", "Dockerfile\n.dockerignore\nout\n!out/in\n");
    file("out/gone", "x");
    file("out/in", "kept");
    must_run();
    ck_assert_str_eq(layer(0), "?755 c; 644 c/out/in =kept");
    file("Dockerfile", "FROM x\nCOPY . /c\n");
    file(".dockerignore", "*\n!keep\n!a/b/in\n");
    for (size_t i = 0; i < 6; i++)
        member((struct skl_tar_entry){.type = SKL_TAR_DIR, .name = dirs[i], .mode = 0755}, NULL);
    file("a/b/in", "in");
    file("a/b/out", "out");
    must_run();
    ck_assert_str_eq(layer(0),
                     "?755 c; 755 c/a; 755 c/a/b; 644 c/a/b/in =in; 755 c/keep; 755 c/keep/x");
}
END_TEST

/* -- COPY and ADD */

static const struct {
    const char *copy, *want; /* the last layer */
} copies[] = {
    {"COPY a /x", "644 x into a =A"},
    {"COPY a /x/", "?755 x; 644 x/a =A"},
    {"COPY a .", "644 a =A"},
    {"WORKDIR /w\nCOPY a .", "?755 w; 644 w/a =A"},
    {"WORKDIR /w\nCOPY a b", "?755 w; 644 w/b into a =A"},
    {"WORKDIR w\nWORKDIR ../v\nCOPY a ./", "?755 v; 644 v/a =A"},
    {"COPY d /x", "?755 x; 755 x/e; 644 x/e/f =F; 644 x/g =G"},
    {"COPY d/ e* /x/", "?755 x; 755 x/e; 644 x/e/f =F; 644 x/empty =; 644 x/g =G"},
    {"COPY */g /x", "644 x into g =G"},
    {"COPY [\"a b\", \"/x y/\"]", "?755 x y; 644 x y/a b =sp"},
    {"COPY [ab] /x/", "?755 x; 644 x/a =A; 644 x/b =B"},
    {"COPY --chown=5 a /x/", "?755 x 5:5; 644 x/a 5:5 =A"},
    {"COPY --chown=5:6 a /x/", "?755 x 5:6; 644 x/a 5:6 =A"},
    {"COPY --chown=me:us a /x/", "?755 x me:us; 644 x/a me:us =A"},
    {"ARG U=7\nCOPY --chown=$U --chmod=600 a /x/", "?755 x 7:7; 600 x/a 7:7 =A"},
    {"COPY --chmod=4711 d /x", "?755 x; 4711 x/e; 4711 x/e/f =F; 4711 x/g =G"},
    {"COPY a /x\nCOPY b /x", "644 x into b =B"},
    {"COPY d /x\nCOPY b /x", "?755 x; 644 x/b =B"},
    {"COPY a /x/y\nCOPY b /x", "?755 x; 644 x/b =B"},
    {"COPY <<E /x\nhi\nE", "644 x into E =hi\n"},
    {"ENV V=v\nCOPY <<E <<\"R\" /x/\n$V\nE\n$V\nR", "?755 x; 644 x/E =v\n; 644 x/R =$V\n"},
    {"COPY links /x", "?755 x; 777 x/abs -> /a; 777 x/rel -> ../a"},
    {"COPY links/rel /x", "644 x into rel =A"},
    {"COPY links/abs /x", "644 x into abs =A"},
    {"ADD a /x", "644 x into a =A"},
};

static void files_of_copies(const char *dockerfile)
{
    file("Dockerfile", dockerfile);
    file("a", "A");
    file("b", "B");
    file("a b", "sp");
    file("empty", "");
    member((struct skl_tar_entry){.type = SKL_TAR_DIR, .name = "d/e", .mode = 0755}, NULL);
    file("d/e/f", "F");
    file("d/g", "G");
    member(
        (struct skl_tar_entry){
            .type = SKL_TAR_SYMLINK, .name = "links/rel", .linkname = "../a", .mode = 0777},
        NULL);
    member(
        (struct skl_tar_entry){
            .type = SKL_TAR_SYMLINK, .name = "links/abs", .linkname = "/a", .mode = 0777},
        NULL);
}

START_TEST(files_go_where_an_engine_puts_them)
{
    SKL_AUTO_BUF struct skl_buf text = {0};
    struct skl_build_result r;

    skl_buf_init(&text, 4096);
    skl_buf_addf(&text, "FROM x\n%s\n", copies[_i].copy);
    files_of_copies(text.p);
    must_run();
    skl_build_finish(b.build, &r);
    ck_assert_str_eq(layer(skl_strv_len(r.layers) - 1), copies[_i].want);
}
END_TEST

static const struct {
    const char *copy, *why;
} refused[] = {
    {"COPY --chown=:5 a /x", "invalid chown string"},
    {"COPY --chown=1:2:3 a /x", "invalid chown string"},
    {"COPY --chmod=a+x a /x", "invalid chmod parameter: 'a+x'"},
    {"COPY --chmod=77777 a /x", "invalid chmod parameter"},
    {"COPY [z-a /x", "syntax error in pattern"},
    {"COPY a b /x", "must be a directory and end with a /"},
    {"ADD git@host:x.git /x", "git sources need BuildKit"},
    {"ADD http://host/missing /x", "ADD failed: failed to GET http://host/missing"},
    {"ADD http://host/ /x/", "cannot determine filename for source http://host/"},
    {"ADD --checksum=sha256:0 a /x", "--checksum"},
    {"COPY --from=5 a /x", "COPY failed: stat a: file does not exist"},
    {"COPY --from=other a /x", "COPY failed: stat a: file does not exist"},
    {"WORKDIR $unset", "cannot normalize nothing"},
};

START_TEST(copies_that_cannot_be_are_refused)
{
    SKL_AUTO_BUF struct skl_buf text = {0};

    skl_buf_init(&text, 4096);
    skl_buf_addf(&text, "FROM x\n%s\n", refused[_i].copy);
    files_of_copies(text.p);
    must_fail(refused[_i].why);
}
END_TEST

START_TEST(archives_keep_their_owners)
{
    SKL_AUTO_BUF struct skl_buf inner = {0};
    struct skl_tar_entry e = {.type = SKL_TAR_FILE,
                              .name = "in/f",
                              .uid = 12,
                              .gid = 13,
                              .mode = 0640,
                              .uname = "",
                              .gname = "",
                              .linkname = "",
                              .size = 1};

    skl_buf_init(&inner, 65536);
    ck_assert_int_eq(skl_tar_write_header(&inner, &e, NULL), 0);
    skl_buf_adds(&inner, "x");
    skl_tar_write_padding(&inner, 1);
    skl_tar_write_end(&inner);
    file("Dockerfile", "FROM x\nADD t.tar /to\nADD --chown=1:1 t.tar /own/\nCOPY t.tar /plain/\n");
    e = (struct skl_tar_entry){.type = SKL_TAR_FILE,
                               .name = "t.tar",
                               .uname = "",
                               .gname = "",
                               .linkname = "",
                               .mode = 0644,
                               .size = (int64_t)inner.n};
    ck_assert_int_eq(skl_tar_write_header(&body, &e, NULL), 0);
    skl_buf_add(&body, inner.p, inner.n);
    skl_tar_write_padding(&body, (int64_t)inner.n);
    must_run();
    ck_assert_str_eq(layer(0), "?755 to; 640 to/in/f 12:13 =x");
    ck_assert_str_eq(layer(1), "?755 own 1:1; 640 own/in/f 1:1 =x");
}
END_TEST

/* -- files of images in registries */

/* Writes the members so far as a layer of that image. */
static void fetched_layer(void)
{
    char path[128];
    int fd;

    skl_tar_write_end(&body);
    snprintf(path, sizeof(path), "%s/fetched-%zu", b.layers, skl_strv_len(b.fetched));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_eq(write(fd, body.p, body.n), (ssize_t)body.n);
    ck_assert_int_eq(close(fd), 0);
    skl_strv_push(&b.fetched, path);
    skl_buf_reset(&body);
}

static void an_image_of_two_layers(void)
{
    file("etc/old", "1");
    file("etc/kept", "2");
    file("opaque/below", "3");
    file("dir/x", "4");
    member((struct skl_tar_entry){.type = SKL_TAR_CHARDEV, .name = "dev/null", .devmajor = 1},
           NULL);
    fetched_layer();
    file("opaque/above", "5"); /* what the layer itself has stays, wherever the mark stands */
    file("etc/.wh.old", "");
    file("opaque/.wh..wh..opq", "");
    file(".wh.dir", "");
    fetched_layer();
}

START_TEST(files_come_from_an_image_of_a_registry)
{
    an_image_of_two_layers();
    file("Dockerfile", "FROM scratch\nCOPY --from=other etc /e\nCOPY --from=other / /all/\n");
    must_run();
    ck_assert_str_eq(layer(0), "?755 e; 644 e/kept =2");
    ck_assert_str_eq(layer(1), "?755 all; 644 all/etc/kept =2; 644 all/opaque/above =5");
}
END_TEST

START_TEST(a_stage_has_its_bases_files_too)
{
    an_image_of_two_layers();
    file("Dockerfile", "FROM x\nCOPY a /etc\nFROM scratch\nCOPY --from=0 /etc /e\n"
                       "COPY --from=0 /opaque/* /o/\n");
    file("a", "A");
    must_run();
    ck_assert_str_eq(layer(0), "?755 e; 644 e/a =A; 644 e/kept =2");
    ck_assert_str_eq(layer(1), "?755 o; 644 o/above =5");
}
END_TEST

START_TEST(a_url_is_a_file_of_root_alone)
{
    file("Dockerfile", "FROM x\nADD http://h/d/f.tar?q=1 /to/\nADD --chmod=755 https://h/g /to\n");
    must_run();
    ck_assert_str_eq(layer(0), "?755 to; 600 to/f.tar =http://h/d/f.tar?q=1");
    ck_assert_str_eq(layer(1), "?755 to; 755 to/g =https://h/g");
}
END_TEST

/* -- records */

START_TEST(stages_know_each_others_files)
{
    file("Dockerfile", "FROM x AS one\nCOPY a /s/a\nFROM one\nCOPY --from=ONE /s/* /t/\n"
                       "COPY --from=0 s /u\n");
    file("a", "A");
    must_run();
    ck_assert_str_eq(layer(1), "?755 t; 644 t/a =A");
    ck_assert_str_eq(layer(2), "?755 u; 644 u/a =A");
    ck_assert_ptr_nonnull(strstr(b.said.p, "Step 5/5 : COPY --from=0 s /u\n ---> "));
    file("Dockerfile", "FROM x\nCOPY a /bin\nFROM x\nCOPY --from=0 /bin/a /t/\n");
    file("a", "A");
    must_run();
    ck_assert_str_eq(layer(0), "?755 t; 644 t/a =A");
}
END_TEST

START_TEST(equal_files_have_equal_content_whatever_their_times)
{
    char key[2][65], id[2][72];
    struct skl_build_result r;

    b.has_cached = true;
    b.cached.created_ns = 1000000000;
    for (int i = 0; i < 2; i++) {
        file("Dockerfile", "FROM x\nCOPY a /a\n");
        member((struct skl_tar_entry){.type = SKL_TAR_FILE, .name = "a", .mtime_s = 1000 * i}, "A");
        must_run();
        skl_build_finish(b.build, &r);
        snprintf(key[i], sizeof(key[i]), "%s", r.keys[0]);
        snprintf(b.cached.layer, sizeof(b.cached.layer), "%s", r.layers[0]);
        snprintf(id[i], sizeof(id[i]), "%s", r.id);
        ck_assert_int_eq(r.created_ns, 1000000000);
    }
    ck_assert_str_eq(key[0], key[1]);
    ck_assert_str_eq(id[0], id[1]);
    file("Dockerfile", "FROM x\nCOPY a /a\n");
    file("a", "B");
    must_run();
    skl_build_finish(b.build, &r);
    ck_assert_str_ne(key[0], r.keys[0]);
}
END_TEST

START_TEST(run_is_said_and_recorded)
{
    struct skl_build_result r;

    file("Dockerfile", "FROM x\nARG A=1\nRUN make $A\nRUN [\"a\",\"b\"]\n");
    must_run();
    skl_build_finish(b.build, &r);
    ck_assert_uint_eq(r.skipped_runs, 2);
    ck_assert_ptr_nonnull(strstr(b.said.p, "RUN is not executed"));
    ck_assert_ptr_nonnull(strstr(r.config_json, "|1 A=1 /bin/sh -c make $A"));
    ck_assert_ptr_nonnull(strstr(r.config_json, "\"not executed\""));
}
END_TEST

START_TEST(the_base_image_stays_what_it_was)
{
    struct skl_build_result r;

    b.base_config =
        "{\"architecture\":\"arm64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"c\"],\"OnBuild\":"
        "[\"ENV T=1\",\"COPY a /t\"]},\"history\":[{\"created_by\":\"base\"}],\"rootfs\":{"
        "\"type\":\"layers\",\"diff_ids\":[\"sha256:aa\"]},\"container_config\":{}}";
    file("Dockerfile", "FROM x\nENTRYPOINT e\n");
    file("a", "A");
    must_run();
    skl_build_finish(b.build, &r);
    ck_assert_str_eq(r.base_id, BASE_ID);
    ck_assert_ptr_nonnull(strstr(r.config_json, "\"architecture\":\"arm64\""));
    ck_assert_ptr_nonnull(strstr(r.config_json, "\"diff_ids\":[\"sha256:aa\",\"sha256:"));
    ck_assert_ptr_nonnull(strstr(r.config_json, "\"T=1\""));
    ck_assert_ptr_null(strstr(r.config_json, "OnBuild"));
    ck_assert_ptr_null(strstr(r.config_json, "container_config"));
    ck_assert_ptr_null(strstr(r.config_json, "\"Cmd\"")); /* it was the other entrypoint's */
}
END_TEST

START_TEST(a_base_whose_triggers_are_bad_is_refused)
{
    static const char *const triggers[] = {"FROM y", "ONBUILD ENV a=1", "NOPE x",
                                           "COPY --from=y a b"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(triggers); i++) {
        char config[256];

        snprintf(config, sizeof(config), "{\"config\":{\"OnBuild\":[\"%s\"]}}", triggers[i]);
        b.base_config = config;
        file("Dockerfile", "FROM x\n");
        ck_assert_int_lt(run(), 0);
    }
}
END_TEST

START_TEST(arguments_are_seen_where_they_are_declared)
{
    struct skl_build_result r;

    skl_strv_push(&b.args, "A");
    skl_strv_push(&b.args, "given");
    skl_strv_push(&b.args, "no_proxy");
    skl_strv_push(&b.args, "local");
    file("Dockerfile", "ARG A=one\nARG B=two\nFROM x\nENV X=$A-$B-$no_proxy\nARG B\nARG A=three\n"
                       "ENV Y=$A-$B\nARG C=$TARGETARCH\nENV Z=$C A=env\nENV W=$A\n");
    must_run();
    skl_build_finish(b.build, &r);
    ck_assert_ptr_nonnull(strstr(r.config_json, "\"X=--local\",\"Y=given-two\""));
    ck_assert_ptr_nonnull(strstr(r.config_json, "\"W=env\""));
    ck_assert_ptr_null(strstr(b.said.p, "not consumed"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("build");
    TCase *t = tcase_create("build");
    SRunner *sr = srunner_create(s);
    int failed;

    suite_add_tcase(s, t);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_context_cannot_leave_its_root);
    tcase_add_test(t, loops_of_links_end);
    tcase_add_test(t, odd_members_are_refused);
    tcase_add_test(t, the_newest_member_of_a_name_counts);
    tcase_add_test(t, turning_directories_into_files_is_bounded);
    tcase_add_test(t, hard_links_are_copies);
    tcase_add_test(t, marks_of_strangers_do_not_count);
    tcase_add_test(t, what_is_ignored_is_not_copied);
    tcase_add_loop_test(t, files_go_where_an_engine_puts_them, 0, SKL_ARRAY_LEN(copies));
    tcase_add_loop_test(t, copies_that_cannot_be_are_refused, 0, SKL_ARRAY_LEN(refused));
    tcase_add_test(t, archives_keep_their_owners);
    tcase_add_test(t, stages_know_each_others_files);
    tcase_add_test(t, files_come_from_an_image_of_a_registry);
    tcase_add_test(t, a_stage_has_its_bases_files_too);
    tcase_add_test(t, a_url_is_a_file_of_root_alone);
    tcase_add_test(t, equal_files_have_equal_content_whatever_their_times);
    tcase_add_test(t, run_is_said_and_recorded);
    tcase_add_test(t, the_base_image_stays_what_it_was);
    tcase_add_test(t, a_base_whose_triggers_are_bad_is_refused);
    tcase_add_test(t, arguments_are_seen_where_they_are_declared);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
