/* The stub that functions are built from. Google makes functions from source only; what this source does never serves
 * anybody, because the image of the service below is swapped before the first request. It is uploaded once: its name is
 * its digest.
 */
#include <stdio.h>
#include <zip.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/gcp/storage.h"
#include "cloud/oauth.h"
#include "gcf.h"

static const struct {
    const char *name, *text;
} files[] = {
    {"go.mod", "module example.com/stub\n\ngo 1.21\n"},
    {"stub.go", "package stub\n\nimport \"net/http\"\n\n"
                "// Stub is there until the image of its service is swapped.\n"
                "func Stub(w http.ResponseWriter, r *http.Request) {\n"
                "\thttp.Error(w, \"not ready\", http.StatusServiceUnavailable)\n}\n"},
};

static bool add_file(zip_t *zip, const char *name, const char *text)
{
    zip_source_t *source = zip_source_buffer(zip, text, strlen(text), 0);
    zip_int64_t at = source ? zip_file_add(zip, name, source, 0) : -1;

    if (at < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_file_set_mtime(zip, (zip_uint64_t)at, 315532800, 0) ==
           0; /* zip's first day, in UTC */
}

static bool read_all(zip_source_t *source, struct skl_buf *b)
{
    zip_stat_t st;
    char *to;

    if (zip_source_stat(source, &st) < 0 || !(to = skl_buf_reserve(b, st.size)) ||
        zip_source_open(source) < 0)
        return false;
    skl_buf_commit(b, st.size);
    return zip_source_read(source, to, st.size) == (zip_int64_t)st.size &&
           zip_source_close(source) == 0;
}

/* The same bytes each time. */
static int make_zip(struct skl_buf *b, struct skl_error *err)
{
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_TRUNCATE, NULL) : NULL;
    bool ok = zip != NULL;

    if (zip)
        zip_source_keep(source); /* the other reference is the archive's */
    for (size_t i = 0; ok && i < SKL_ARRAY_LEN(files); i++)
        ok = add_file(zip, files[i].name, files[i].text);
    ok = ok && zip_close(zip) == 0;
    if (zip && !ok)
        zip_discard(zip);
    ok = ok && read_all(source, b);
    zip_source_free(source);
    return ok ? 0 : skl_fail(err, SKL_E_INTERNAL, "the stub's source could not be packed");
}

static int upload(struct skl_gcf *gcf, struct skl_call *call, struct skl_str zip,
                  const char *object, struct skl_error *err)
{
    const struct skl_gcp_context context = {.deadline_ms = call->deadline_ms,
                                            .cancel = &call->canceled};
    bool has_source;
    int rc;

    (void)pthread_mutex_lock(&gcf->lock);
    has_source = gcf->has_source;
    (void)pthread_mutex_unlock(&gcf->lock);
    if (has_source)
        return 0;
    rc = skl_storage_ensure(gcf->gcp->client, gcf->bucket, object, "application/zip", zip, &context,
                            err);
    if (rc < 0)
        return skl_wrap(err, rc, "storing the stub's source (SOCKERLESS_GCF_BUCKET)");
    (void)pthread_mutex_lock(&gcf->lock);
    gcf->has_source = true;
    (void)pthread_mutex_unlock(&gcf->lock);
    return 0;
}

/* -- the runtime: the newest of Go's */

struct newest {
    char name[16];
    uint64_t number;
};

static bool look_at_runtime(void *arg, const cJSON *item)
{
    struct newest *n = arg;
    const char *name = skl_json_get_str(item, "name");
    const char *stage = skl_json_get_str(item, "stage");
    uint64_t number;

    if (name && skl_str_starts(skl_str(name), "go1") && strlen(name) < sizeof(n->name) &&
        skl_streq(stage, "GA") && skl_streq(skl_json_get_str(item, "environment"), "GEN_2") &&
        skl_str_u64(skl_str(name + 2), &number) && number > n->number) {
        n->number = number;
        snprintf(n->name, sizeof(n->name), "%s", name);
    }
    return true;
}

static int choose_runtime(struct skl_gcf *gcf, struct skl_call *call, char **ret,
                          struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct newest newest = {0};
    int rc;

    (void)pthread_mutex_lock(&gcf->lock);
    *ret = skl_strdup(gcf->runtime);
    (void)pthread_mutex_unlock(&gcf->lock);
    if (*ret)
        return 0;
    skl_buf_init(&path, 4 * SKL_KIB);
    skl_buf_addf(&path, "/v2/%s/runtimes", gcf->location);
    rc = skl_gcp_list(gcf->gcp->client,
                      &(struct skl_gcp_call){
                          .api = SKL_GCP_FUNCTIONS,
                          .operation = "runtimes.list",
                          .what = "asking for the region's runtimes",
                          .method = "GET",
                          .path = path.p,
                          .context = {.deadline_ms = call->deadline_ms, .cancel = &call->canceled}},
                      "runtimes", look_at_runtime, &newest, err);
    if (rc < 0)
        return rc;
    if (!newest.number)
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "the region has no runtime of Go for the stub: set SOCKERLESS_GCF_RUNTIME, "
                        "or SOCKERLESS_GCF_MODE=run");
    *ret = skl_strdup(newest.name);
    (void)pthread_mutex_lock(&gcf->lock);
    skl_strset(&gcf->runtime, newest.name);
    (void)pthread_mutex_unlock(&gcf->lock);
    return 0;
}

int skl_gcf_stub_ensure(struct skl_gcf *gcf, struct skl_call *call, char **ret_runtime,
                        char **ret_object, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf zip = {0};
    unsigned char hash[32];
    struct skl_buf name;
    int rc;

    skl_buf_init(&zip, 64 * SKL_KIB);
    rc = make_zip(&zip, err);
    if (rc == 0 && skl_sha256(zip.p, zip.n, hash) != 0)
        rc = skl_fail(err, SKL_E_INTERNAL, "the stub's source has no digest");
    if (rc < 0)
        return rc;
    skl_buf_init(&name, SKL_KIB);
    skl_buf_adds(&name, "sockerless/stub-");
    for (size_t i = 0; i < 16; i++)
        skl_buf_addf(&name, "%02x", hash[i]);
    skl_buf_adds(&name, ".zip");
    *ret_object = skl_buf_detach(&name);
    rc = upload(gcf, call, skl_buf_str(&zip), *ret_object, err);
    return rc < 0 ? rc : choose_runtime(gcf, call, ret_runtime, err);
}
