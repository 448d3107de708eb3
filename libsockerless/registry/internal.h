/* internal - the parts of the registry client among themselves.
 *
 * Shape   a session is one question of a caller: it finds the base URL that answers, keeps the
 *         Authorization that was accepted, and follows redirects
 * Thread  a session belongs to one thread
 */
#ifndef SKL_REGISTRY_INTERNAL_H
#define SKL_REGISTRY_INTERNAL_H

#include <pthread.h>

#include <cjson/cJSON.h>

#include "base/list.h"
#include "registry/registry.h"

#define SKL_REGISTRY_MAX_MANIFEST (4u * 1024 * 1024)

struct skl_registry {
    struct skl_rest *rest;
    char *mirror; /* without a slash at the end; NULL: none */
    char **insecure;
    pthread_mutex_t token_lock; /* guards tokens, n_tokens */
    struct skl_list tokens;
    unsigned n_tokens;
};

/* Where /v2/ is asked for. */
struct skl_registry_base {
    char *url;
    bool insecure, mirror;
};

struct skl_registry_session {
    struct skl_registry *reg;
    const struct skl_registry_query *q;
    int64_t deadline_ms;
    struct skl_registry_base bases[3];
    size_t n_bases, base; /* base: the one that is asked */
    char *authorization;  /* header value, secret; NULL: none yet */
    bool
        challenged; /* the authorization answers a challenge; another one for the same scope is final */
    char scope[1024]; /* ... which was this */
};

int skl_registry_session_init(struct skl_registry_session *s, struct skl_registry *reg,
                              const struct skl_registry_query *q, struct skl_error *err);
void skl_registry_session_fini(struct skl_registry_session *s);
#define SKL_AUTO_SESSION __attribute__((cleanup(skl_registry_session_fini)))
/* The session's credentials; NULL for a mirror or an anonymous caller. */
const struct skl_registry_auth *skl_registry_session_auth(const struct skl_registry_session *s);
struct skl_registry_call {
    const char *method;
    const char *path; /* "/v2/...", or a whole URL that the registry gave */
    const char *accept, *range, *content_type, *content_range; /* NULL: none */
    struct skl_str body;                                       /* n = 0: none */
    size_t max_body;
};
/* One call with token and redirects (of reads). 0 with any status; a network failure in the Engine's words. */
int skl_registry_send(struct skl_registry_session *s, const struct skl_registry_call *call,
                      struct skl_rest_response *ret, struct skl_error *err);
/* GET base + path ("/v2/..."), with token, redirects. 0 with any status; a network failure in the Engine's
 * words. */
int skl_registry_get(struct skl_registry_session *s, const char *path, const char *accept,
                     size_t max_body, struct skl_rest_response *ret, struct skl_error *err);
/* `Get "URL": reason`, from the error of a call that had no answer. */
int skl_registry_unreachable(const char *url, struct skl_error *err);

/* One challenge of a WWW-Authenticate header. */
struct skl_challenge {
    bool bearer; /* else basic */
    char realm[1024], service[512], scope[1024], error[64];
};
bool skl_challenge_parse(struct skl_str header, struct skl_challenge *ret);
/* The Authorization value that answers it, owned, secret. *ret is NULL when the caller has no credentials
 * for a Basic challenge. UNAUTHORIZED: the token service refused the credentials. */
int skl_registry_authorize(struct skl_registry_session *s, const struct skl_challenge *c,
                           char **ret, struct skl_error *err);
void skl_registry_tokens_free(struct skl_registry *reg);

/* The name that people use: without docker.io/ and library/. */
void skl_registry_familiar(struct skl_buf *b, const struct skl_registry_ref *ref, bool with_tag);
/* Fails for an answer that is not 200, in the Engine's words. */
int skl_registry_refuse(const struct skl_registry_session *s, const char *path,
                        const struct skl_rest_response *answer, struct skl_error *err);

/* What a manifest says. */
struct skl_manifest {
    cJSON *json;
    char *text;      /* as the registry has it */
    char digest[72]; /* "sha256:" + 64 */
    char media_type[128];
    int64_t size;
    bool is_index;
};
void skl_manifest_fini(struct skl_manifest *m);
/* registry.c: GET of a manifest by tag or digest, checked. */
int skl_registry_get_manifest(struct skl_registry_session *s, const char *reference,
                              const char *want_digest, struct skl_manifest *ret,
                              struct skl_error *err);
/* The manifest of the query's platform, of a list or alone. */
int skl_registry_get_leaf(struct skl_registry_session *s, struct skl_manifest *ret,
                          struct skl_error *err);
/* copy.c: GET of a range of a blob; appended. */
int skl_registry_read_piece(struct skl_registry_session *s, const char *digest, int64_t offset,
                            size_t n, struct skl_buf *to, struct skl_error *err);
#define SKL_AUTO_MANIFEST __attribute__((cleanup(skl_manifest_fini)))
int skl_manifest_parse(struct skl_str body, const char *content_type, const char *want_digest,
                       struct skl_manifest *ret, struct skl_error *err);
/* The digest of the entry for the platform, borrowed from the index; NOTFOUND. */
int skl_manifest_choose(const struct skl_manifest *index,
                        const struct skl_registry_platform *platform, const char **ret,
                        struct skl_error *err);
/* What it says, 0 for none and for what cannot be. */
int64_t skl_descriptor_size(const cJSON *descriptor);
/* Fills config digest, layers and size. */
int skl_manifest_read(const struct skl_manifest *m, struct skl_registry_image *ret,
                      struct skl_error *err);
bool skl_digest_is_valid(const char *digest);
void skl_digest_of(struct skl_str body, char out[72]);
/* The architecture of this machine in Go's words. */
const char *skl_registry_own_architecture(void);

#endif
