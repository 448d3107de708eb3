/* --from: where the files of COPY come from. A number or a name of a stage, else an image, whose files are fetched once in
 * a build. Of a stage only what COPY and ADD put there is known at first; the files of its base image are fetched
 * when they are asked for. */
#include "build/build_internal.h"

static const struct source *find_source(const struct skl_build *b, const char *name)
{
    for (size_t k = 0; k < b->n_sources; k++)
        if (skl_streq(b->sources[k].name, name))
            return &b->sources[k];
    return NULL;
}

void skl_build_want_files(struct skl_build *b, const char *name)
{
    skl_strset(&b->wanted, name);
    b->wanted_to_copy = true;
}

static bool is_dir(struct skl_tree *t, const char *path)
{
    const struct skl_node *n = skl_tree_find(t, path);

    return n ? n->type == SKL_NODE_DIR : skl_tree_has(t, path);
}

static int move_into(struct skl_tree *t, const struct skl_node *n, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    SKL_AUTO_STR char *old = skl_strdup(n->path), *owner = skl_strdup(n->owner);
    struct skl_node moved = *n;

    skl_buf_init(&path, 2u << 20);
    skl_buf_addf(&path, "%s/%s", n->path, n->into);
    moved.path = path.p;
    moved.owner = owner;
    moved.into = NULL;
    skl_tree_remove(t, old); /* n goes with it */
    return skl_tree_put(t, &moved, err);
}

/* Files that were to go into a directory, if there is one, go there now. */
static int settle(struct skl_tree *t, struct skl_tree *base, struct skl_error *err)
{
    const struct skl_node **all;
    size_t n = skl_tree_list(t, &all);
    char **paths = NULL;
    int rc = 0;

    for (size_t k = 0; k < n; k++)
        if (all[k]->type == SKL_NODE_FILE && all[k]->into && is_dir(base, all[k]->path))
            skl_strv_push(&paths, all[k]->path);
    for (char **p = paths; rc == 0 && p && *p; p++)
        rc = move_into(t, skl_tree_find(t, *p), err);
    skl_strv_free(paths);
    return rc;
}

/* Adds what the tree has not. */
static int put_below(struct skl_tree *t, struct skl_tree *base, struct skl_error *err)
{
    const struct skl_node **all;
    size_t n = skl_tree_list(base, &all);
    int rc = settle(t, base, err);

    for (size_t k = 0; k < n && rc == 0; k++) {
        const struct skl_node *here = skl_tree_find(t, all[k]->path);

        if (!here || here->if_missing)
            rc = skl_tree_put(t, all[k], err);
    }
    return rc;
}

static int from_stage(struct skl_build *b, size_t n, struct skl_tree **ret,
                      struct stage **ret_stage, struct skl_error *err)
{
    struct stage *s = &b->stages[n];
    const struct source *base = find_source(b, s->base_id);

    *ret = s->tree;
    *ret_stage = s;
    if (!base || s->whole)
        return 0;
    s->whole = true;
    return put_below(s->tree, base->tree, err);
}

int skl_build_find_from(struct skl_build *b, const struct skl_instruction *i, struct skl_tree **ret,
                        struct stage **ret_stage, struct skl_error *err)
{
    const char *flag = skl_instruction_flag(i, "from");
    SKL_AUTO_STR char *name = NULL;
    const struct source *source;
    uint64_t number;
    int rc;

    *ret = b->context;
    if (!flag)
        return 0;
    rc = skl_expand_word(&b->expand, flag, &name, err);
    if (rc < 0)
        return rc;
    if (skl_str_u64(skl_str(name), &number)) {
        if (number + 1 == b->n_stages)
            return skl_fail(err, SKL_E_INVALID,
                            "invalid from flag value %.100s: refers to current build stage", name);
        if (number < b->n_stages)
            return from_stage(b, (size_t)number, ret, ret_stage, err);
    }
    for (size_t k = 0; k + 1 < b->n_stages; k++)
        if (b->stages[k].name && skl_str_ieqz(skl_str(name), b->stages[k].name))
            return from_stage(b, k, ret, ret_stage, err);
    source = find_source(b, name);
    if (source) {
        *ret = source->tree;
        return 0;
    }
    skl_build_want_files(b, name);
    return 1;
}
