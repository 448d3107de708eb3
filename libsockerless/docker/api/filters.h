/* filters - the `filters` parameter of lists, events and prune.
 *
 * Shape   key -> values. Values of one key are alternatives, keys add up; label values add up too. A key that is
 *         not given matches everything: all questions below answer true then.
 * Forms   {"label":{"a=b":true}} and {"label":["a=b"]}
 * Errors  INVALID: "invalid filter", "invalid filter 'foo'"
 * Owns    its strings: skl_filters_fini(), also after a failure
 * Limits  name patterns: docker/api/pattern.h
 */
#ifndef SKL_DOCKER_FILTERS_H
#define SKL_DOCKER_FILTERS_H

#include "base/error.h"
#include "base/str.h"
#include "docker/api/pattern.h"
#include "store/labels.h"

struct skl_filter {
    char *key;
    char **values; /* not NULL; may be empty */
    struct skl_pattern *
        *compiled; /* beside values; made on first use; an entry is NULL if it is no pattern */
};

struct skl_filters {
    struct skl_filter *items;
    size_t n;
};

/* NULL and "" are no filters. */
int skl_filters_parse(const char *text, struct skl_filters *ret, struct skl_error *err);
void skl_filters_fini(struct skl_filters *f);
#define SKL_AUTO_FILTERS __attribute__((cleanup(skl_filters_fini)))
/* Fails for a key that is not in the list (ended by NULL). */
int skl_filters_accept(const struct skl_filters *f, const char *const *keys, struct skl_error *err);

bool skl_filters_has(const struct skl_filters *f, const char *key);
/* The values, ended by NULL; NULL if the key is not given. */
char *const *skl_filters_values(const struct skl_filters *f, const char *key);

bool skl_filters_exact(const struct skl_filters *f, const char *key, const char *value);
bool skl_filters_prefix(const struct skl_filters *f, const char *key, const char *value);
/* As an unanchored regular expression on the name with and without its leading slash. */
bool skl_filters_name(struct skl_filters *f, const char *key, const char *name);
/* "k" or "k=v", all of them. */
bool skl_filters_labels(const struct skl_filters *f, const char *key,
                        const struct skl_labels *labels);
/* A boolean value ("1", "true", "0", "false", and exactly so): *ret is left alone if the key is not given. */
int skl_filters_bool(const struct skl_filters *f, const char *key, bool *ret,
                     struct skl_error *err);

#endif
