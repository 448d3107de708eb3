/* A registry's refusal in the words of a Docker Engine. act, Testcontainers and docker-java look for
 * "pull access denied", "manifest unknown" and "unauthorized"; the wording is theirs, not ours. */
#include <ctype.h>
#include <stdio.h>

#include "base/json_read.h"
#include "base/redact.h"
#include "registry/internal.h"

void skl_registry_familiar(struct skl_buf *b, const struct skl_registry_ref *ref, bool with_tag)
{
    const char *repository = ref->repository ? ref->repository : "";

    if (!skl_streq(ref->host, "docker.io"))
        skl_buf_addf(b, "%s/", ref->host);
    else if (skl_str_starts(skl_str(repository), "library/") && !strchr(repository + 8, '/'))
        repository += 8;
    skl_buf_adds(b, repository);
    if (!with_tag)
        return;
    if (!skl_str_empty(ref->digest))
        skl_buf_addf(b, "@%s", ref->digest);
    else
        skl_buf_addf(b, ":%s", ref->tag ? ref->tag : "latest");
}

/* "MANIFEST_UNKNOWN" and its message become "manifest unknown: manifest unknown". */
struct refusal {
    char code[64];
    char message[256];
};

static void copy(char *out, size_t cap, const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 2048);
    skl_redact_cut(&b, skl_str(text), cap - 1);
    (void)snprintf(out, cap, "%s", b.p);
}

static void set(struct refusal *r, const char *code, const char *message)
{
    copy(r->code, sizeof(r->code), code);
    copy(r->message, sizeof(r->message), message);
    for (char *p = r->code; *p; p++)
        *p = *p == '_' ? ' ' : (char)tolower((unsigned char)*p);
    for (char *p = r->message; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
}

/* What the status means when the body says nothing. */
static void from_status(int status, struct refusal *r)
{
    if (status == 404)
        set(r, "MANIFEST_UNKNOWN", "manifest unknown");
    else if (status == 401)
        set(r, "UNAUTHORIZED", "authentication required");
    else if (status == 403)
        set(r, "DENIED", "requested access to the resource is denied");
    else if (status == 429)
        set(r, "TOOMANYREQUESTS", "too many requests");
}

static void from_body(const struct skl_rest_response *answer, struct refusal *r)
{
    SKL_AUTO_JSON cJSON *json = NULL;
    const char *code, *message;
    const cJSON *first;

    if (skl_json_parse(skl_buf_str(&answer->body), &json, NULL) < 0)
        return;
    first = skl_json_get(json, "errors");
    first = cJSON_IsArray(first) ? cJSON_GetArrayItem(first, 0) : NULL;
    code = skl_json_get_str(first, "code");
    message = skl_json_get_str(first, "message");
    if (code && *code)
        set(r, code, message ? message : "");
}

/* A token that was given without the wanted scope: Docker Hub's way to say "no such repository, or not
 * yours". */
static bool scope_refused(const struct skl_rest_response *answer)
{
    const char *header = skl_rest_response_header(answer, "WWW-Authenticate");
    struct skl_challenge c;

    return answer->status == 401 && header && skl_challenge_parse(skl_str(header), &c) &&
           skl_streq(c.error, "insufficient_scope");
}

int skl_registry_refuse(const struct skl_registry_session *s, const char *path,
                        const struct skl_rest_response *answer, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf name = {0};
    struct refusal r = {0};

    from_status(answer->status, &r);
    from_body(answer, &r);
    if (scope_refused(answer))
        set(&r, "DENIED", "requested access to the resource is denied");
    skl_buf_init(&name, 2048);
    if (skl_streq(r.code, "denied")) {
        skl_registry_familiar(&name, &s->q->ref, false);
        return skl_fail(err, SKL_E_NOTFOUND,
                        "pull access denied for %s, repository does not exist or may require "
                        "'docker login': denied: %s",
                        name.p, r.message);
    }
    if (skl_streq(r.code, "manifest unknown")) {
        skl_registry_familiar(&name, &s->q->ref, true);
        return skl_fail(err, SKL_E_NOTFOUND, "manifest for %s not found: manifest unknown: %s",
                        name.p, r.message);
    }
    if (skl_streq(r.code, "name unknown")) {
        skl_registry_familiar(&name, &s->q->ref, false);
        return skl_fail(err, SKL_E_NOTFOUND, "repository %s not found: name unknown: %s", name.p,
                        r.message);
    }
    if (r.code[0])
        return skl_fail(err, SKL_E_INTERNAL, "Get \"%s%s\": %s: %s", s->bases[s->base].url, path,
                        r.code, r.message);
    return skl_fail(err, SKL_E_INTERNAL, "Get \"%s%s\": received unexpected HTTP status: %d",
                    s->bases[s->base].url, path, answer->status);
}
