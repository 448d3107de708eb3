/* reference - names of images: [domain/]path[:tag][@digest].
 *
 * Shape   normalised: domain and path are always set ("docker.io", "library/busybox")
 * Errors  INVALID with a Docker Engine's texts
 * Owns    its strings: skl_reference_fini(), also after a failure
 * Thread  any
 */
#ifndef SKL_DOCKER_REFERENCE_H
#define SKL_DOCKER_REFERENCE_H

#include "base/error.h"

struct skl_reference {
    char *domain, *path;
    char *tag;    /* NULL: none */
    char *digest; /* "sha256:..." or NULL; decides when both are there */
};

int skl_reference_parse(const char *text, struct skl_reference *ret, struct skl_error *err);
void skl_reference_fini(struct skl_reference *r);
#define SKL_AUTO_REFERENCE __attribute__((cleanup(skl_reference_fini)))

/* "latest" when there is neither tag nor digest. */
void skl_reference_default_tag(struct skl_reference *r);
int skl_reference_set_tag(struct skl_reference *r, const char *tag, struct skl_error *err);

/* What users see, without docker.io/ and library/; owned. */
char *skl_reference_familiar_name(const struct skl_reference *r);
/* The same with "@digest", else ":tag" if there is one. */
char *skl_reference_familiar(const struct skl_reference *r);
/* With domain: what a registry or a cloud is asked for. */
char *skl_reference_full(const struct skl_reference *r);

#endif
