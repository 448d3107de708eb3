/* codec - objects to the JSON text of their database rows, and back.
 *
 * Shape   NULL strings are left out; numbers beyond 2^53 are strings, because JSON readers keep doubles;
 *         Docker's own JSON members are strings, so that they come back byte for byte
 * Errors  a decoder fails on text that is no JSON object; members that are missing or of another type
 *         read as empty. Encoders fail as TOOBIG only.
 * Owns    *ret of an encoder belongs to the caller; a decoder fills fields that the caller frees with the
 *         object, also after a failure
 */
#ifndef SKL_STORE_CODEC_H
#define SKL_STORE_CODEC_H

#include "base/str.h"
#include "store/store.h"

int skl_spec_encode(const struct skl_container_spec *spec, char **ret, struct skl_error *err);
int skl_spec_decode(struct skl_str text, struct skl_container_spec *ret, struct skl_error *err);

int skl_endpoints_encode(const struct skl_container *c, char **ret, struct skl_error *err);
int skl_endpoints_decode(struct skl_str text, struct skl_container *ret, struct skl_error *err);

int skl_labels_encode(const struct skl_labels *l, char **ret, struct skl_error *err);
int skl_labels_decode(struct skl_str text, struct skl_labels *ret, struct skl_error *err);

int skl_image_encode(const struct skl_image *i, char **ret, struct skl_error *err);
int skl_image_decode(struct skl_str text, struct skl_image *ret, struct skl_error *err);
int skl_network_encode(const struct skl_network *n, char **ret, struct skl_error *err);
int skl_network_decode(struct skl_str text, struct skl_network *ret, struct skl_error *err);
int skl_volume_encode(const struct skl_volume *v, char **ret, struct skl_error *err);
int skl_volume_decode(struct skl_str text, struct skl_volume *ret, struct skl_error *err);
int skl_exec_encode(const struct skl_exec *x, char **ret, struct skl_error *err);
int skl_exec_decode(struct skl_str text, struct skl_exec *ret, struct skl_error *err);

#endif
