/* What every API has in common: error bodies, paths, request bodies. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

static const struct {
    const char *name;
    int http, code;
} statuses[] = {
    [GCP_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", 400, 3},
    [GCP_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 400, 9},
    [GCP_UNAUTHENTICATED] = {"UNAUTHENTICATED", 401, 16},
    [GCP_PERMISSION_DENIED] = {"PERMISSION_DENIED", 403, 7},
    [GCP_NOT_FOUND] = {"NOT_FOUND", 404, 5},
    [GCP_ABORTED] = {"ABORTED", 409, 10},
    [GCP_ALREADY_EXISTS] = {"ALREADY_EXISTS", 409, 6},
    [GCP_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", 429, 8},
    [GCP_INTERNAL] = {"INTERNAL", 500, 13},
    [GCP_UNIMPLEMENTED] = {"UNIMPLEMENTED", 501, 12},
    [GCP_UNAVAILABLE] = {"UNAVAILABLE", 503, 14},
};

int gcp_status_http(enum gcp_status status)
{
    return statuses[status].http;
}

int gcp_status_code(enum gcp_status status)
{
    return statuses[status].code;
}

const char *gcp_status_name(enum gcp_status status)
{
    return statuses[status].name;
}

void gcp_error(struct sim_answer *a, enum gcp_status status, const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf text = {0}, b = {0};
    struct skl_json j;
    va_list ap;

    skl_buf_init(&text, 16 * SKL_KIB);
    skl_buf_init(&b, 64 * SKL_KIB);
    va_start(ap, fmt);
    skl_buf_addv(&text, fmt, ap);
    va_end(ap);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_object(&j, "error");
    skl_json_int(&j, "code", statuses[status].http);
    skl_json_str(&j, "message", text.p);
    skl_json_str(&j, "status", statuses[status].name);
    if (status == GCP_INVALID_ARGUMENT) {
        skl_json_array(&j, "details");
        skl_json_object(&j, NULL);
        skl_json_str(&j, "@type", "type.googleapis.com/google.rpc.BadRequest");
        skl_json_array(&j, "fieldViolations");
        skl_json_object(&j, NULL);
        skl_json_str(&j, "description", text.p);
        skl_json_end_object(&j);
        skl_json_end_array(&j);
        skl_json_end_object(&j);
        skl_json_end_array(&j);
    }
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    sim_text(a, statuses[status].http, b.p);
}

void gcp_html(struct sim_answer *a, int status, const char *title, const char *text)
{
    a->status = status;
    a->type = "text/html; charset=UTF-8";
    skl_buf_reset(&a->body);
    skl_buf_addf(&a->body,
                 "<html><head><title>%d %s</title></head><body><h1>Error: %s</h1><h2>%s</h2>"
                 "</body></html>\n",
                 status, title, title, text);
}

/* A colon that ends a name begins a verb; colons elsewhere ("/dockerImages/a@sha256:...") do not. */
static void cut_verb(struct gcp_path *p)
{
    char *colon = p->n > 0 ? strrchr(p->parts[p->n - 1], ':') : NULL;

    if (!colon || !islower((unsigned char)colon[1]))
        return;
    for (const char *c = colon + 1; *c; c++)
        if (!isalpha((unsigned char)*c))
            return;
    p->verb = skl_strdup(colon + 1);
    *colon = '\0';
}

void gcp_path_split(struct gcp_path *p, const char *raw_path)
{
    struct skl_str rest = skl_str(raw_path + (*raw_path == '/'));

    *p = (struct gcp_path){.n = 0};
    while (rest.p && p->n < GCP_MAX_PARTS) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);
        struct skl_buf b;

        skl_buf_init(&b, 64 * SKL_KIB);
        skl_url_decode(&b, part, false);
        p->parts[p->n++] = skl_buf_detach(&b);
    }
    cut_verb(p);
}

void gcp_path_fini(struct gcp_path *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->parts[i]);
    free(p->verb);
}

char *gcp_format(const char *fmt, ...)
{
    struct skl_buf b;
    va_list ap;

    skl_buf_init(&b, SKL_MIB);
    va_start(ap, fmt);
    skl_buf_addv(&b, fmt, ap);
    va_end(ap);
    return skl_buf_detach(&b);
}

cJSON *gcp_body(const struct sim_request *r, struct sim_answer *a)
{
    cJSON *body = NULL;

    if (skl_str_trim(r->body).n == 0)
        return cJSON_CreateObject();
    if (skl_json_parse(r->body, &body, NULL) == 0 && cJSON_IsObject(body))
        return body;
    cJSON_Delete(body);
    gcp_error(a, GCP_INVALID_ARGUMENT, "Invalid JSON payload received. Parse error.");
    return NULL;
}

void gcp_unknown(const struct sim_request *r, struct sim_answer *a)
{
    gcp_html(a, 404, "Not Found", "The requested URL was not found on this server.");
}
