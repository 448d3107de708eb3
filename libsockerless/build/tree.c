/* A map from paths to nodes, and a sorted list that is made anew after changes.
 *
 * Problem: COPY asks for single paths, for everything below one, and for what a wildcard matches; stages put layers over
 * each other. Approach: the map answers the first, a sorted vector the others; a build changes a tree and reads
 * it in turns, so sorting when first read again is cheap.
 */
#include "build/tree.h"

#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/map.h"
#include "build/ignore.h"

struct skl_tree {
    struct skl_map by_path;
    const struct skl_node **sorted; /* NULL: to be made */
    size_t n_sorted;
    size_t names; /* bytes */
    unsigned turns;
};

struct skl_tree *skl_tree_new(void)
{
    struct skl_tree *t = skl_new0(struct skl_tree);

    skl_map_init(&t->by_path);
    return t;
}

static size_t node_names(const struct skl_node *n)
{
    return strlen(n->path) + (n->link ? strlen(n->link) : 0);
}

static void node_free(struct skl_node *n)
{
    free(n->path);
    free(n->owner);
    free(n->into);
    free(n->link);
    free(n);
}

static void changed(struct skl_tree *t)
{
    free(t->sorted);
    t->sorted = NULL;
}

void skl_tree_free(struct skl_tree *t)
{
    struct skl_node *n;
    size_t i = 0;

    if (!t)
        return;
    while ((n = skl_map_next(&t->by_path, &i, NULL)))
        node_free(n);
    skl_map_fini(&t->by_path);
    changed(t);
    free(t);
}

/* '/' sorts before everything, so that a directory's members follow it at once. */
static int compare_paths(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    if (*a == *b)
        return 0;
    if (!*a || !*b)
        return *a ? 1 : -1;
    if (*a == '/' || *b == '/')
        return *a == '/' ? -1 : 1;
    return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int compare(const void *a, const void *b)
{
    const struct skl_node *const *x = a, *const *y = b;

    return compare_paths((*x)->path, (*y)->path);
}

size_t skl_tree_list(struct skl_tree *t, const struct skl_node ***ret)
{
    struct skl_node *n;
    size_t i = 0;

    if (!t->sorted) {
        t->sorted = skl_new0_n(const struct skl_node *, t->by_path.n + 1);
        t->n_sorted = 0;
        while ((n = skl_map_next(&t->by_path, &i, NULL)))
            t->sorted[t->n_sorted++] = n;
        qsort(t->sorted, t->n_sorted, sizeof(*t->sorted), compare);
    }
    *ret = t->sorted;
    return t->n_sorted;
}

static bool is_below(const char *path, const char *dir, size_t n)
{
    return n == 0 || (strncmp(path, dir, n) == 0 && path[n] == '/');
}

size_t skl_tree_below(struct skl_tree *t, const char *dir, const struct skl_node *const **ret)
{
    const struct skl_node **all;
    size_t n = skl_tree_list(t, &all), low = 0, high = n, len = strlen(dir), count = 0;

    while (low < high) { /* the first that does not sort before the directory */
        size_t middle = low + (high - low) / 2;

        if (compare_paths(all[middle]->path, dir) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < n && strcmp(all[low]->path, dir) == 0)
        low++;
    while (low + count < n && is_below(all[low + count]->path, dir, len))
        count++;
    *ret = all + low;
    return count;
}

const struct skl_node *skl_tree_find(const struct skl_tree *t, const char *path)
{
    return skl_map_getz(&t->by_path, path);
}

bool skl_tree_has(struct skl_tree *t, const char *path)
{
    const struct skl_node *const *below;

    return !*path || skl_tree_find(t, path) || skl_tree_below(t, path, &below) > 0;
}

static void drop(struct skl_tree *t, const char *path)
{
    struct skl_node *old = skl_map_remove(&t->by_path, skl_str(path));

    if (!old)
        return;
    changed(t);
    t->names -= node_names(old);
    node_free(old);
}

static void drop_below(struct skl_tree *t, const char *path)
{
    const struct skl_node *const *below;
    size_t n = skl_tree_below(t, path, &below);
    const struct skl_node **nodes =
        skl_memdup(below, n * sizeof(*nodes)); /* the list goes with the first */

    for (size_t i = 0; i < n; i++)
        drop(t, nodes[i]->path);
    free(nodes);
}

void skl_tree_remove_below(struct skl_tree *t, const char *path)
{
    drop_below(t, path);
}

void skl_tree_remove(struct skl_tree *t, const char *path)
{
    SKL_AUTO_STR char *copy = skl_strdup(path); /* it may be the node's own */

    drop(t, copy);
}

/* Files that stand where directories are needed now. */
static void clear_way(struct skl_tree *t, const char *path)
{
    SKL_AUTO_STR char *copy = skl_strdup(path);

    for (char *s = copy; (s = strchr(s, '/')); s++) {
        const struct skl_node *n;

        *s = '\0';
        n = skl_tree_find(t, copy);
        if (n && n->type == SKL_NODE_FILE)
            drop(t, copy);
        *s = '/';
    }
}

int skl_tree_put(struct skl_tree *t, const struct skl_node *node, struct skl_error *err)
{
    const struct skl_node *old = skl_tree_find(t, node->path);
    struct skl_node *n;

    if (t->by_path.n >= SKL_TREE_MAX_NODES || t->names + node_names(node) > SKL_TREE_MAX_NAMES)
        return skl_fail(err, SKL_E_TOOBIG, "more than %u files", SKL_TREE_MAX_NODES);
    if (old && old->type == SKL_NODE_DIR && node->type != SKL_NODE_DIR) {
        if (++t->turns > SKL_TREE_MAX_TURNS)
            return skl_fail(err, SKL_E_TOOBIG, "more than %u directories are replaced by files",
                            SKL_TREE_MAX_TURNS);
        drop_below(t, node->path);
    }
    if (old && node->if_missing && old->type == SKL_NODE_DIR)
        return 0;
    n = skl_memdup(node, sizeof(*node));
    n->path = skl_strdup(node->path);
    n->owner = skl_strdup(node->owner);
    n->into = skl_strdup(node->into);
    n->link = skl_strdup(node->link);
    drop(t, n->path);
    clear_way(t, n->path);
    t->names += node_names(n);
    skl_map_set(&t->by_path, skl_str(n->path), n);
    changed(t);
    return 0;
}

/* -- links */

/* `link` as it stands in the directory of `path`, with `rest` behind it: a path from the root, cleaned. */
static char *follow(const char *path, const char *link, const char *rest)
{
    const char *slash = strrchr(path, '/');
    SKL_AUTO_BUF struct skl_buf b = {0};
    char *clean, *relative;

    skl_buf_init(&b, 3 * 65536);
    skl_buf_addc(&b, '/');
    if (*link != '/' && slash)
        skl_buf_add(&b, path, (size_t)(slash - path));
    skl_buf_addf(&b, "/%s/%s", link, rest);
    clean = skl_pattern_clean(skl_buf_str(&b)); /* rooted: no way out */
    relative = skl_strdup(clean + 1);
    free(clean);
    return relative;
}

bool skl_tree_resolve(struct skl_tree *t, const char *path, char **ret_path,
                      const struct skl_node **ret_node)
{
    SKL_AUTO_STR char *at = skl_strdup(path);
    unsigned links = 0;
    char *s = at;

    while (s) {
        const struct skl_node *n;

        s = strchr(*s == '/' ? s + 1 : s, '/');
        if (s)
            *s = '\0';
        n = skl_tree_find(t, at);
        if (n && n->type == SKL_NODE_LINK) {
            char *next;

            if (++links > SKL_TREE_MAX_LINKS)
                return false;
            next = follow(at, n->link, s ? s + 1 : "");
            free(at);
            at = next;
            s = at;
            continue;
        }
        if (s)
            *s = '/';
    }
    *ret_node = skl_tree_find(t, at);
    if (!*ret_node && !skl_tree_has(t, at))
        return false;
    *ret_path = skl_take(&at);
    return true;
}

int skl_tree_read(const struct skl_node *node, size_t max, struct skl_buf *to,
                  struct skl_error *err)
{
    int64_t at = 0;

    if (node->size > (int64_t)max)
        return skl_fail(err, SKL_E_TOOBIG, "%.200s is larger than %zu bytes", node->path, max);
    skl_buf_init(to, max);
    while (at < node->size) {
        size_t want = node->size - at < 65536 ? (size_t)(node->size - at) : 65536;
        char *p = skl_buf_reserve(to, want);
        ssize_t n = pread(node->fd, p, want, node->offset + at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return skl_fail_errno(err, n < 0 ? errno : EIO, "reading a file of the build");
        skl_buf_commit(to, (size_t)n);
        at += n;
    }
    return 0;
}
