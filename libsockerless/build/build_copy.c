/* COPY and ADD.
 *
 * Problem: where a file goes depends on what the image has ("COPY tool /usr/local/bin" goes into a directory, if it is one),
 * whose files are in a registry and not here; so do the numbers of named owners. Approach: what is known here (files of
 * layers that are here) is decided here; the rest is left to who unpacks the layer, as marks (build/layer.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/build_internal.h"

struct copying {
    struct skl_build *b;
    const struct skl_instruction *i;
    const char *name;      /* "COPY" */
    struct skl_tree *from; /* its sources are in here */
    const char *from_name; /* NULL: the context */
    struct stage *from_stage;
    bool missing; /* it failed for want of the files of the stage's base image */
    char *dest;   /* clean, relative to the root */
    bool to_dir;  /* the destination ends with '/' */
    int64_t uid, gid;
    char *owner;
    bool has_chown, has_chmod;
    uint32_t mode;
    struct plan plan;
    size_t n_sources, n_dirs, n_urls;
};

static void copying_fini(struct copying *c)
{
    skl_plan_fini(&c->plan);
    free(c->dest);
    free(c->owner);
}

static char *join(const char *dir, const char *name)
{
    struct skl_buf b;

    skl_buf_init(&b, 2u << 20);
    skl_buf_addf(&b, "%s%s%s", dir, *dir && *name ? "/" : "", name);
    return skl_buf_detach(&b);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* -- flags */

static int take_chown(struct copying *c, struct skl_error *err)
{
    const char *flag = skl_instruction_flag(c->i, "chown");
    struct skl_str user, group;
    uint64_t uid, gid;
    int rc;

    if (!flag)
        return 0;
    rc = skl_expand_word(&c->b->expand, flag, &c->owner, err);
    if (rc < 0)
        return rc;
    c->has_chown = true;
    user = skl_str_cut(skl_str(c->owner), ':', &group);
    if (user.n == 0 || strchr(group.p ? group.p : "", ':'))
        return skl_fail(err, SKL_E_INVALID, "invalid chown string passed: %.100s", c->owner);
    if (group.p && group.n == 0)
        group.p = NULL;
    if (!skl_str_u64(user, &uid))
        return 0; /* names are the image's */
    gid = uid;
    if (group.p && !skl_str_u64(group, &gid))
        return 0;
    if (uid > UINT32_MAX || gid > UINT32_MAX)
        return skl_fail(err, SKL_E_INVALID, "invalid chown string passed: %.100s", c->owner);
    c->uid = (int64_t)uid;
    c->gid = (int64_t)gid;
    skl_strset(&c->owner, NULL);
    return 0;
}

static int take_chmod(struct copying *c, struct skl_error *err)
{
    const char *flag = skl_instruction_flag(c->i, "chmod");
    SKL_AUTO_STR char *text = NULL;
    unsigned long mode;
    char *end;
    int rc;

    if (!flag)
        return 0;
    rc = skl_expand_word(&c->b->expand, flag, &text, err);
    if (rc < 0)
        return rc;
    mode = strtoul(text, &end, 8);
    if (*end || end == text || mode > 07777 || *text == '-' || *text == '+')
        return skl_fail(
            err, SKL_E_INVALID,
            "invalid chmod parameter: '%.100s'. it should be octal string and between 0 "
            "and 07777",
            text);
    c->has_chmod = true;
    c->mode = (uint32_t)mode;
    return 0;
}

static int take_dest(struct copying *c, const char *word, struct skl_error *err)
{
    const char *cwd = skl_json_get_str(stage_config(stage_now(c->b)), "WorkingDir");
    SKL_AUTO_STR char *text = NULL, *clean = NULL;
    SKL_AUTO_BUF struct skl_buf b = {0};
    size_t n;
    int rc = skl_expand_word(&c->b->expand, word, &text, err);

    if (rc < 0)
        return rc;
    n = strlen(text);
    c->to_dir = n == 0 || text[n - 1] == '/' || strcmp(text, ".") == 0 ||
                (n > 1 && strcmp(text + n - 2, "/.") == 0);
    skl_buf_init(&b, 1u << 20);
    if (*text != '/')
        skl_buf_addf(&b, "/%s/", cwd ? cwd : "");
    skl_buf_adds(&b, text);
    clean = skl_pattern_clean(skl_buf_str(&b));
    c->dest = skl_strdup(clean + 1);
    c->to_dir |= !*c->dest;
    return 0;
}

/* -- adding to the plan */

static void own(const struct copying *c, struct skl_node *n)
{
    n->uid = c->uid;
    n->gid = c->gid;
    n->owner = skl_strdup(c->owner);
}

/* The directories of a path, the path too when it is one: made where they are missing. */
static void plan_dirs(struct copying *c, const char *path, bool itself)
{
    SKL_AUTO_STR char *copy = skl_strdup(path);
    char *s = copy;

    while (*s) {
        char *slash = strchr(s, '/');
        struct skl_node *n;

        if (!slash && !itself)
            return;
        if (slash)
            *slash = '\0';
        n = skl_plan_add(&c->plan, copy, SKL_NODE_DIR);
        n->if_missing = true;
        own(c, n);
        if (!slash)
            return;
        *slash = '/';
        s = slash + 1;
    }
}

/* `keep_owner`: as in the archive it came from. */
static void plan_node(struct copying *c, const struct skl_node *from, const char *path,
                      const char *into, bool keep_owner)
{
    struct skl_node *n = skl_plan_add(&c->plan, path, from->type);

    n->mode = c->has_chmod ? c->mode : from->mode;
    n->mtime_s = from->mtime_s;
    n->mtime_ns = from->mtime_ns;
    n->size = from->size;
    n->link = skl_strdup(from->link);
    n->fd = from->fd;
    n->offset = from->offset;
    n->into = skl_strdup(into);
    own(c, n);
    if (keep_owner && !c->has_chown) {
        n->uid = from->uid;
        n->gid = from->gid;
    }
}

static void plan_below(struct copying *c, struct skl_tree *tree, const char *dir, bool keep_owner)
{
    const struct skl_node *const *below;
    size_t n = skl_tree_below(tree, dir, &below), skip = *dir ? strlen(dir) + 1 : 0;

    plan_dirs(c, c->dest, true);
    for (size_t i = 0; i < n; i++) {
        SKL_AUTO_STR char *path = join(c->dest, below[i]->path + skip);

        plan_node(c, below[i], path, NULL, keep_owner);
    }
}

static void plan_file(struct copying *c, const struct skl_node *node, const char *name)
{
    struct skl_tree *tree = stage_now(c->b)->tree;
    const struct skl_node *known = skl_tree_find(tree, c->dest);
    bool into = c->to_dir || (known ? known->type == SKL_NODE_DIR : skl_tree_has(tree, c->dest));
    bool sure = known && known->type == SKL_NODE_FILE && !known->into;
    SKL_AUTO_STR char *path = into ? join(c->dest, name) : skl_strdup(c->dest);

    plan_dirs(c, path, false);
    plan_node(c, node, path, into || sure ? NULL : name, false);
}

/* -- archives of ADD */

static int unpack(struct copying *c, const struct skl_node *node, int *ret_fd, bool *packed,
                  struct skl_error *err)
{
    SKL_AUTO_STR char *path = skl_build_scratch_name(c->b);
    struct skl_build_ops *ops = &c->b->s.ops;
    struct stat st;
    int rc;

    *ret_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*ret_fd < 0)
        return skl_fail_errno(err, errno, "making a file of the build");
    skl_build_keep_fd(c->b, *ret_fd);
    rc = ops->unpack(ops->arg, node->fd, node->offset, node->size, *ret_fd, skl_build_room(c->b),
                     packed, err);
    if (fstat(*ret_fd, &st) == 0)
        c->b->room -= st.st_size;
    return rc;
}

static bool looks_packed(const struct skl_node *node)
{
    static const struct skl_str magics[] = {{"\x1f\x8b\x08", 3},
                                            {"BZh", 3},
                                            {"\xfd"
                                             "7zXZ\0",
                                             6},
                                            {"\x28\xb5\x2f\xfd", 4}};
    char head[6];
    ssize_t n = node->size >= 6 ? pread(node->fd, head, sizeof(head), node->offset) : 0;

    for (size_t i = 0; n == sizeof(head) && i < SKL_ARRAY_LEN(magics); i++)
        if (memcmp(head, magics[i].p, magics[i].n) == 0)
            return true;
    return false;
}

/* 1: it was an archive and is planned; 0: an ordinary file. */
static int try_extract(struct copying *c, const struct skl_node *node, struct skl_error *err)
{
    SKL_AUTO(tree) tree = NULL;
    struct stat st;
    bool packed;
    int fd, rc;

    if (!looks_packed(node) && !skl_tree_is_tar(node->fd, node->offset, node->size))
        return 0;
    rc = unpack(c, node, &fd, &packed, err);
    if (rc == -SKL_E_TOOBIG)
        return rc;
    if (rc < 0 || fstat(fd, &st) < 0 || !skl_tree_is_tar(fd, 0, st.st_size))
        return 0; /* compressed, but no archive: an ordinary file, as an Engine takes it */
    tree = skl_tree_new();
    rc = skl_tree_add_tar(tree, fd, c->b->scratch_fd, false, SKL_BUILD_MAX_LAYER, err);
    if (rc < 0)
        return skl_wrap(err, rc, "ADD failed: unpacking %.200s", node->path);
    plan_below(c, tree, "", true);
    return 1;
}

/* -- sources */

static int not_found(const struct copying *c, const char *path, struct skl_error *err)
{
    if (!c->from_name)
        return skl_fail(err, SKL_E_INVALID,
                        "%s failed: file not found in build context or excluded by .dockerignore: "
                        "stat %.200s: file does not exist",
                        c->name, path);
    return skl_fail(
        err, SKL_E_INVALID, "%s failed: stat %.200s: file does not exist%s", c->name, path,
        c->from_stage && c->from_stage->runs ? " (RUN instructions of that stage were not executed)"
                                             : "");
}

static int take_node(struct copying *c, const char *path, const char *real,
                     const struct skl_node *node, struct skl_error *err)
{
    if (!node || node->type == SKL_NODE_DIR) {
        plan_below(c, c->from, real, false);
        c->n_dirs++;
        return 0;
    }
    if (c->i->kind == SKL_I_ADD && node->type == SKL_NODE_FILE) {
        int rc = try_extract(c, node, err);

        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    plan_file(c, node, base_name(path));
    return 0;
}

static int take_matches(struct copying *c, const char *pattern, struct skl_error *err)
{
    const struct skl_node **all;
    size_t n = skl_tree_list(c->from, &all);
    int rc = 0;

    for (size_t k = 0; k < n && rc == 0; k++) {
        SKL_AUTO_STR char *real = NULL;
        const struct skl_node *node;

        rc = skl_pattern_match(pattern, all[k]->path);
        if (rc < 0)
            rc = skl_fail(err, SKL_E_INVALID, "%s failed: %.200s: syntax error in pattern", c->name,
                          pattern);
        if (rc <= 0)
            continue;
        rc = 0;
        c->n_sources++;
        if (skl_tree_resolve(c->from, all[k]->path, &real, &node))
            rc = take_node(c, all[k]->path, real, node, err);
    }
    return rc;
}

static bool is_url(const char *s)
{
    return skl_str_starts(skl_str(s), "http://") || skl_str_starts(skl_str(s), "https://") ||
           skl_str_starts(skl_str(s), "git@") || skl_str_starts(skl_str(s), "git://") ||
           skl_str_starts(skl_str(s), "ssh://");
}

/* Name in the URL's path; empty for "http://host/". */
static char *url_name(const char *url)
{
    const char *host = strstr(url, "://") + 3, *end = host + strcspn(host, "?#"), *s = end;

    while (s > host && s[-1] != '/')
        s--;
    return s == host ? skl_strdup("") : skl_strndup(s, (size_t)(end - s));
}

static int take_url(struct copying *c, const char *url, struct skl_error *err)
{
    SKL_AUTO_STR char *name = NULL, *path = NULL;
    struct skl_node node = {.type = SKL_NODE_FILE, .mode = 0600};
    struct stat st;
    int rc;

    if (!skl_str_starts(skl_str(url), "http"))
        return skl_fail(err, SKL_E_UNSUPPORTED, "ADD failed: %.200s: git sources need BuildKit",
                        url);
    name = url_name(url);
    path = skl_build_scratch_name(c->b);
    node.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (node.fd < 0)
        return skl_fail_errno(err, errno, "making a file of the build");
    skl_build_keep_fd(c->b, node.fd);
    rc = c->b->s.ops.download(c->b->s.ops.arg, url, node.fd, skl_build_room(c->b), &node.mtime_s,
                              err);
    if (rc < 0 || fstat(node.fd, &st) < 0)
        return skl_wrap(err, rc < 0 ? rc : -SKL_E_INTERNAL, "ADD failed");
    skl_build_say(c->b, "\n");
    if (c->to_dir && !*name)
        return skl_fail(err, SKL_E_INVALID,
                        "ADD failed: cannot determine filename for source %.200s", url);
    node.size = st.st_size;
    c->b->room -= st.st_size;
    c->n_sources++;
    c->n_urls++;
    plan_file(c, &node, *name ? name : base_name(c->dest));
    return 0;
}

static int take_heredoc(struct copying *c, const struct skl_heredoc *h, struct skl_error *err)
{
    SKL_AUTO_STR char *text = NULL;
    struct skl_node node = {.type = SKL_NODE_FILE, .mode = 0644, .fd = c->b->scratch_fd};
    const char *s;
    struct stat st;
    size_t n;
    int rc = 0;

    if (h->expand)
        rc = skl_expand_text(&c->b->expand, h->content, SKL_DOCKERFILE_MAX, &text, err);
    if (rc < 0)
        return rc;
    s = text ? text : h->content;
    n = strlen(s);
    if (fstat(node.fd, &st) < 0 || pwrite(node.fd, s, n, st.st_size) != (ssize_t)n)
        return skl_fail_errno(err, errno, "writing a here-document");
    node.offset = st.st_size;
    node.size = (int64_t)n;
    c->n_sources++;
    plan_file(c, &node, h->name);
    return 0;
}

/* "bin/tool" of a stage where "tool" was copied to "bin", which is a directory there. */
static const struct skl_node *find_into(const struct skl_tree *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    SKL_AUTO_STR char *dir = slash ? skl_strndup(path, (size_t)(slash - path)) : NULL;
    const struct skl_node *n = dir ? skl_tree_find(t, dir) : NULL;

    return n && n->type == SKL_NODE_FILE && skl_streq(n->into, slash + 1) ? n : NULL;
}

/* What is wanted of a stage may be its base image's. Those files are fetched only then: not for one that COPY or ADD
 * put there. */
static bool lacks_base(const struct copying *c, const char *path)
{
    const struct stage *s = c->from_stage;
    SKL_AUTO_STR char *real = NULL;
    const struct skl_node *node;

    if (!s || !s->base_id || s->whole)
        return false;
    if (skl_pattern_has_wildcards(path))
        return true;
    if (!skl_tree_resolve(c->from, path, &real, &node))
        return !find_into(c->from, path);
    return !node || node->type == SKL_NODE_DIR || node->into; /* it may be in a directory there */
}

static int take_source(struct copying *c, const char *word, struct skl_error *err)
{
    SKL_AUTO_STR char *text = NULL, *clean = NULL, *real = NULL;
    const struct skl_node *node;
    const char *path;
    int rc;

    for (size_t k = 0; k < c->i->n_heredocs; k++)
        if (skl_streq(c->i->heredocs[k].word, word))
            return take_heredoc(c, &c->i->heredocs[k], err);
    rc = skl_expand_word(&c->b->expand, word, &text, err);
    if (rc < 0)
        return rc;
    if (is_url(text) && c->i->kind == SKL_I_COPY)
        return skl_fail(err, SKL_E_INVALID, "COPY failed: source can't be a URL for COPY");
    if (is_url(text))
        return take_url(c, text, err);
    clean = skl_pattern_clean(skl_str(text));
    path = *clean == '/' ? clean + 1 : strcmp(clean, ".") == 0 ? "" : clean;
    if (skl_streq(path, "..") || skl_str_starts(skl_str(path), "../"))
        return skl_fail(err, SKL_E_INVALID,
                        "%s failed: forbidden path outside the build context: %.200s ()", c->name,
                        text);
    if (lacks_base(c, path)) {
        c->missing = true;
        return -SKL_E_NOTFOUND;
    }
    if (skl_pattern_has_wildcards(path))
        return take_matches(c, path, err);
    if (!skl_tree_resolve(c->from, path, &real, &node)) {
        node = find_into(c->from, path);
        if (!node)
            return not_found(c, path, err);
    }
    c->n_sources++;
    return take_node(c, *path ? path : real, real, node, err);
}

/* -- the instruction */

/* "file:<digest> in /x " */
static void comment(const struct copying *c, const char *content, struct skl_buf *to)
{
    const char *kind = c->n_sources > 1 ? "multi:" : c->n_dirs ? "dir:" : c->n_urls ? "" : "file:";

    skl_buf_init(to, 1u << 20);
    skl_config_shell(stage_config(stage_now(c->b)), to);
    skl_buf_addf(to, " #(nop) %s %s%s%s in /%s%s ", c->name,
                 c->i->kind == SKL_I_COPY && c->has_chown ? "--chown " : "", kind, content, c->dest,
                 c->to_dir && *c->dest ? "/" : "");
}

int skl_build_copy(struct skl_build *b, const struct skl_instruction *i, struct skl_error *err)
{
    __attribute__((cleanup(copying_fini))) struct copying c = {
        .b = b, .i = i, .name = skl_instruction_name(i->kind)};
    SKL_AUTO_BUF struct skl_buf by = {0};
    struct skl_layer layer;
    size_t n = skl_strv_len(i->args);
    int rc = skl_build_find_from(b, i, &c.from, &c.from_stage, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    c.from_name = skl_instruction_flag(i, "from");
    if (skl_instruction_flag(i, "checksum"))
        return skl_fail(err, SKL_E_UNSUPPORTED, "ADD --checksum needs BuildKit");
    rc = take_chown(&c, err);
    if (rc == 0)
        rc = take_chmod(&c, err);
    if (rc == 0)
        rc = take_dest(&c, i->args[n - 1], err);
    for (size_t k = 0; rc == 0 && k + 1 < n; k++)
        rc = take_source(&c, i->args[k], err);
    if (rc < 0 && c.missing) {
        skl_build_want_files(b, c.from_stage->base_id);
        return 0;
    }
    if (rc < 0)
        return rc;
    if (c.n_sources == 0)
        return skl_fail(err, SKL_E_INVALID, "%s failed: no source files were specified", c.name);
    if (c.n_sources > 1 && !c.to_dir)
        return skl_fail(err, SKL_E_INVALID,
                        "When using %s with more than one source file, the destination must be a "
                        "directory and end with a /",
                        c.name);
    rc = skl_plan_write(b, &c.plan, &layer, err);
    if (rc < 0)
        return rc;
    comment(&c, layer.content, &by);
    skl_build_commit_step(b, by.p, NULL, &layer);
    return 0;
}

int skl_build_make_dir(struct skl_build *b, const char *path, const char *created_by,
                       struct skl_error *err)
{
    __attribute__((cleanup(copying_fini))) struct copying c = {.b = b};
    struct skl_layer layer;
    SKL_AUTO_STR char *clean = skl_pattern_clean(skl_str(path));
    int rc;

    if (skl_tree_has(stage_now(b)->tree, clean + 1)) {
        skl_build_commit_step(b, created_by, NULL, NULL);
        return 0;
    }
    plan_dirs(&c, clean + 1, true);
    rc = skl_plan_write(b, &c.plan, &layer, err);
    if (rc == 0)
        skl_build_commit_step(b, created_by, NULL, &layer);
    return rc;
}
