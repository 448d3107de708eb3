#include "cloud/gcp/storage.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"

#define MAX_PATH (8 * SKL_KIB) /* a name has 1024 bytes, each may become three */
#define MAX_WHAT (2 * SKL_KIB)

static struct skl_gcp_call storage_call(const char *operation, const char *method,
                                        const struct skl_buf *path, const struct skl_buf *what,
                                        const struct skl_gcp_context *context)
{
    return (struct skl_gcp_call){.api = SKL_GCP_STORAGE,
                                 .operation = operation,
                                 .what = what->p,
                                 .method = method,
                                 .path = path->p,
                                 .context = context ? *context : (struct skl_gcp_context){0}};
}

/* "/storage/v1/b/BUCKET/o/OBJECT" */
static void object_path(struct skl_buf *b, const char *bucket, const char *object)
{
    skl_buf_init(b, MAX_PATH);
    skl_buf_adds(b, "/storage/v1/b/");
    skl_url_encode(b, skl_str(bucket));
    skl_buf_adds(b, "/o/");
    skl_url_encode(b, skl_str(object));
}

static int is_there(struct skl_gcp_client *c, const char *bucket, const char *object,
                    const struct skl_buf *what, const struct skl_gcp_context *context, bool *ret,
                    struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
    SKL_AUTO_BUF struct skl_buf path = {0};
    struct skl_gcp_call call;
    int rc;

    object_path(&path, bucket, object);
    call = storage_call("objects.get", "GET", &path, what, context);
    call.query = "fields=name";
    rc = skl_gcp_send(c, &call, &r, err);
    *ret = rc == 0;
    /* Who may write need not be allowed to read: the upload will tell. */
    return r.status == 404 || r.status == 403 ? 0 : rc;
}

int skl_storage_ensure(struct skl_gcp_client *c, const char *bucket, const char *object,
                       const char *content_type, struct skl_str bytes,
                       const struct skl_gcp_context *context, struct skl_error *err)
{
    SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
    SKL_AUTO_BUF struct skl_buf path = {0}, query = {0}, what = {0};
    struct skl_gcp_call call;
    bool there;
    int rc;

    skl_buf_init(&what, MAX_WHAT);
    skl_buf_addf(&what, "uploading '%s' to bucket '%s'", object, bucket);
    rc = is_there(c, bucket, object, &what, context, &there, err);
    if (rc < 0 || there)
        return rc;
    skl_buf_init(&path, MAX_PATH);
    skl_buf_adds(&path, "/upload/storage/v1/b/");
    skl_url_encode(&path, skl_str(bucket));
    skl_buf_adds(&path, "/o");
    skl_buf_init(&query, MAX_PATH);
    skl_buf_adds(&query, "uploadType=media&ifGenerationMatch=0&name=");
    skl_url_encode(&query, skl_str(object));
    call = storage_call("objects.insert", "POST", &path, &what, context);
    call.query = query.p;
    call.content_type = content_type;
    call.body = bytes;
    call.idempotent = true; /* the second of two finds the first */
    rc = skl_gcp_send(c, &call, &r, err);
    return r.status == 412 ? 0 : rc;
}
