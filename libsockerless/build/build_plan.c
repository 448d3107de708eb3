/* Nodes on their way into a layer. */
#include <errno.h>
#include <stdio.h>

#include "build/build_internal.h"

void skl_plan_fini(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->nodes[i].path);
        free(p->nodes[i].owner);
        free(p->nodes[i].into);
        free(p->nodes[i].link);
    }
    free(p->nodes);
}

struct skl_node *skl_plan_add(struct plan *p, const char *path, enum skl_node_type type)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 16;
        p->nodes = skl_realloc(p->nodes, p->cap, sizeof(*p->nodes));
    }
    p->nodes[p->n] =
        (struct skl_node){.path = skl_strdup(path), .type = type, .mode = 0755, .fd = -1};
    return &p->nodes[p->n++];
}

int skl_plan_write(struct skl_build *b, const struct plan *p, struct skl_layer *ret,
                   struct skl_error *err)
{
    const struct skl_node **order = skl_new0_n(const struct skl_node *, p->n + 1);
    SKL_AUTO_STR char *scratch = skl_build_scratch_name(b);
    SKL_AUTO_BUF struct skl_buf path = {0};
    int rc;

    for (size_t i = 0; i < p->n; i++)
        order[i] = &p->nodes[i];
    rc = skl_layer_write(scratch, order, p->n, skl_build_room(b), ret, err);
    b->room -= rc == 0 ? ret->size : 0;
    free(order);
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        rc = skl_tree_put(stage_now(b)->tree, &p->nodes[i], err);
    if (rc < 0)
        return rc;
    skl_buf_init(&path, 4096);
    skl_buf_addf(&path, "%s/%s.layer", b->s.dir, ret->digest);
    return rename(scratch, path.p) < 0 ? skl_fail_errno(err, errno, "keeping an image layer") : 0;
}
