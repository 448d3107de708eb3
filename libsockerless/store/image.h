/* image - images that were pulled (as records: the cloud pulls the bytes) and their names.
 *
 * Shape   id = config digest; refs = familiar "name:tag"; digests = "name@sha256:..."
 * Rules   every id and digest that is shown maps back to a pullable reference (pull_ref)
 */
#ifndef SKL_STORE_IMAGE_H
#define SKL_STORE_IMAGE_H

#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "store/labels.h"

struct skl_store;

struct skl_image {
    char id[72]; /* "sha256:" + 64 hex */
    char **refs; /* may be empty (dangling) */
    char **digests;
    char *pull_ref;    /* what the cloud is told to pull: registry/name@digest, else name:tag */
    char *config_json; /* the OCI image config; for synthetic images a minimal one */
    char *os, *architecture, *variant;
    int64_t created_ns, size, tagged_ns;
    bool synthetic;      /* the registry did not answer: config is guessed and marked as such */
    char *registry_auth; /* secret; may be NULL */
    struct skl_labels labels;
    /* of images that were built here */
    char *parent;  /* id of the base image; NULL: none */
    char **layers; /* digests of the layers whose files are in the state directory, oldest first */
    char **build_keys; /* of the steps: build/build.h; NULL: pulled */
    struct skl_list in_store;
};

struct skl_image *skl_image_new(void);
void skl_image_free(struct skl_image *i);
/* ref: sha256:<64> exactly; a normalised familiar reference "name:tag" or "name@digest"; id prefix.
 * NULL if none; more than one by prefix: NULL too. */
struct skl_image *skl_image_find(struct skl_store *s, const char *ref);
struct skl_list *skl_image_all(struct skl_store *s);
size_t skl_image_count(struct skl_store *s);
/* Adds, or merges refs and digests into the image of the same id (a synthetic record does not replace a
 * real one); a ref is taken away from another image. own_i is swallowed, also when this fails; *ret is the
 * stored one. No event: docker/ tells pull, tag, untag and delete. */
int skl_image_add(struct skl_store *s, struct skl_image *own_i, struct skl_image **ret,
                  struct skl_error *err);
int skl_image_tag(struct skl_store *s, struct skl_image *i, const char *ref, struct skl_error *err);
int skl_image_untag(struct skl_store *s, struct skl_image *i, const char *ref,
                    struct skl_error *err);
int skl_image_remove(struct skl_store *s, struct skl_image *i, struct skl_error *err);

#endif
