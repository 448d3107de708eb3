/* oauth - what token endpoints of all clouds have in common: form posts, their answers and refusals, JWTs.
 *
 * Errors  UNAUTHORIZED with the first line of the endpoint's description (UNAVAILABLE for 429 and 5xx);
 *         INTERNAL for an answer without a usable token. Secrets are never in a message
 * Thread  any
 */
#ifndef SKL_CLOUD_OAUTH_H
#define SKL_CLOUD_OAUTH_H

#include <cjson/cJSON.h>
#include <mbedtls/pk.h>

#include "cloud/rest.h"

struct skl_token {
    char *text;          /* owned, secret */
    int64_t lifetime_ms; /* from now */
};

/* What every token call is bound to. */
struct skl_token_limits {
    int64_t deadline_ms;       /* skl_mono_ms() */
    const atomic_bool *cancel; /* may be NULL */
};

/* Appends "&key=value", encoded; without the '&' at the beginning. */
void skl_form_add(struct skl_buf *b, const char *key, const char *value);
/* Wipes and frees a form with a secret in it. */
void skl_form_end(struct skl_buf *b);
/* Posts a form; *ret (owned) is the JSON of a 200. `source` begins the sentence of an error; authorization is the
 * value of that header, or NULL. */
int skl_oauth_post(struct skl_rest *rest, const char *source, const char *url,
                   const struct skl_buf *form, const char *authorization,
                   const struct skl_token_limits *limits, cJSON **ret, struct skl_error *err);
/* UNAUTHORIZED (UNAVAILABLE for 429 and 5xx) from an OAuth error body: the first line of what it says. */
int skl_oauth_refused(const char *source, int status, struct skl_str body, struct skl_error *err);

/* A token that can stand in a header: printable, no spaces. */
bool skl_token_is_sane(const char *t);
/* A token answer in any of the dialects: expires_in or expires_on, number or string. */
int skl_token_read(const cJSON *json, const char *token_key, struct skl_token *ret,
                   struct skl_error *err);

/* A small file, NUL-terminated; owned, secret. */
int skl_secret_file_read(const char *path, size_t max, char **ret, size_t *ret_n,
                         struct skl_error *err);

/* JWTs: header and claims are JSON texts. */
enum skl_jwt_algorithm { SKL_JWT_PS256, SKL_JWT_RS256 };
/* Reads a private key in PEM form (n + 1 bytes with the NUL); an mbedTLS error code, 0 if fine. */
int skl_key_parse(mbedtls_pk_context *key, const char *pem, size_t n, const char *password);
bool skl_key_is_pair(const mbedtls_pk_context *pub, const mbedtls_pk_context *key);
/* *ret is owned and secret. The key must be an RSA key. */
int skl_jwt_make(mbedtls_pk_context *key, enum skl_jwt_algorithm algorithm, struct skl_str header,
                 struct skl_str claims, char **ret, struct skl_error *err);
int skl_sha256(const void *p, size_t n, unsigned char out[32]); /* not 0: it is not available */

#endif
