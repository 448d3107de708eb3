/* tree - files by their paths: a build context, the files of a stage, the files of image layers.
 *
 * Shape   paths are clean and relative ("a/b"); directories may be implied by what is below them. Data stays in the
 *         file it came from: a node says which descriptor and where
 * Errors  INVALID for members that are not allowed, TOOBIG past a limit, what base/tar.h says otherwise
 * Owns    nodes and their strings; descriptors are borrowed
 * Thread  any, one at a time per tree; reads files, so not the loop's
 * Limits  of struct skl_tree_limits
 */
#ifndef SKL_BUILD_TREE_H
#define SKL_BUILD_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/macros.h"

#define SKL_TREE_MAX_NODES 500000u
#define SKL_TREE_MAX_NAMES (128u * 1024u * 1024u) /* all paths and links together */
#define SKL_TREE_MAX_LINKS 40u                    /* followed in one path */
#define SKL_TREE_MAX_TURNS 1000u /* directories that a later file replaces: each costs a search */

enum skl_node_type { SKL_NODE_FILE, SKL_NODE_DIR, SKL_NODE_LINK };

struct skl_node {
    char *path;
    enum skl_node_type type;
    uint32_t mode;
    int64_t uid, gid;
    char *owner; /* "user:group" to be looked up where the file is put; NULL: uid and gid count */
    char *
        into; /* a file whose place may be a directory there: it is then put into it by this name */
    bool if_missing; /* a directory that is left as it is where it exists */
    int64_t mtime_s;
    int32_t mtime_ns;
    int64_t size;
    char *link;
    int fd;
    int64_t offset;
};

struct skl_tree;

struct skl_tree *skl_tree_new(void);
void skl_tree_free(struct skl_tree *t); /* NULL is fine */
SKL_DEFINE_AUTO(tree);

/* Adds a copy; what stands at its path goes away, as does what was below it when it is no directory. */
int skl_tree_put(struct skl_tree *t, const struct skl_node *node, struct skl_error *err);
void skl_tree_remove(struct skl_tree *t, const char *path);       /* not what is below it */
void skl_tree_remove_below(struct skl_tree *t, const char *path); /* not itself; "": all */

/* Exact path; links in it are not followed. NULL if there is none, also for implied directories. */
const struct skl_node *skl_tree_find(const struct skl_tree *t, const char *path);
/* Follows links within the tree, the last component's too; *ret_path is the real path (owned). false: nothing there.
 * "" is the root. An implied directory is found with *ret_node = NULL. */
bool skl_tree_resolve(struct skl_tree *t, const char *path, char **ret_path,
                      const struct skl_node **ret_node);
/* Nodes in the order of their paths, directories before what is in them. Until the tree is changed. */
size_t skl_tree_list(struct skl_tree *t, const struct skl_node ***ret);
/* The nodes below a directory ("" is the root): a range of the list. */
size_t skl_tree_below(struct skl_tree *t, const char *dir, const struct skl_node *const **ret);
bool skl_tree_has(struct skl_tree *t, const char *path); /* implied directories too */

/* Adds the members of a tar file. scratch_fd: where files with holes are written out, at its end; -1 refuses them.
 * max_size: of all files together, holes too. is_layer: it was written here, so the marks of build/layer.h count. */
int skl_tree_add_tar(struct skl_tree *t, int fd, int scratch_fd, bool is_layer, int64_t max_size,
                     struct skl_error *err);
/* The same of a whole root file system: its devices and pipes are left out, a workload has its own. */
int skl_tree_add_root(struct skl_tree *t, int fd, int scratch_fd, int64_t max_size,
                      struct skl_error *err);
/* A layer of an image in a registry: as above, and what it says to be gone (".wh.") goes first. */
int skl_tree_add_image_layer(struct skl_tree *t, int fd, int scratch_fd, int64_t max_size,
                             struct skl_error *err);
/* The first block is a tar header. */
bool skl_tree_is_tar(int fd, int64_t offset, int64_t size);

/* A file's data; TOOBIG past max. */
int skl_tree_read(const struct skl_node *node, size_t max, struct skl_buf *to,
                  struct skl_error *err);

#endif
