/* The stub that functions are built from. Google makes functions from source only; what this source does never serves
 * anybody, because the image of the service below is swapped before the first request. It is uploaded once: its name is
 * its digest.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

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

static la_ssize_t collect(struct archive *a, void *arg, const void *p, size_t n)
{
    (void)a;
    skl_buf_add(arg, p, n);
    return (la_ssize_t)n;
}

/* The same bytes each time. */
static int make_zip(struct skl_buf *b, struct skl_error *err)
{
    struct archive *a = archive_write_new();
    bool ok = a && archive_write_set_format_zip(a) == ARCHIVE_OK &&
              archive_write_set_bytes_per_block(a, 0) == ARCHIVE_OK &&
              archive_write_open(a, b, NULL, collect, NULL) == ARCHIVE_OK;

    for (size_t i = 0; ok && i < SKL_ARRAY_LEN(files); i++) {
        struct archive_entry *e = archive_entry_new();
        size_t n = strlen(files[i].text);

        archive_entry_set_pathname(e, files[i].name);
        archive_entry_set_size(e, (la_int64_t)n);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_mtime(e, 315532800, 0); /* the first day of zip files */
        ok = archive_write_header(a, e) == ARCHIVE_OK &&
             archive_write_data(a, files[i].text, n) == (la_ssize_t)n;
        archive_entry_free(e);
    }
    ok = ok && archive_write_close(a) == ARCHIVE_OK && !b->failed;
    archive_write_free(a);
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
