#include "cloud/gcp/storage.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"

#define PAGE       1000
#define MAX_PATH   (8 * SKL_KIB) /* a name has 1024 bytes, each may become three */
#define MAX_WHAT   (2 * SKL_KIB)
#define MAX_ROUNDS 1000

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

/* "/storage/v1/b/BUCKET/o/OBJECT"; without object the folder of all. */
static void object_path(struct skl_buf *b, const char *bucket, const char *object)
{
    skl_buf_init(b, MAX_PATH);
    skl_buf_adds(b, "/storage/v1/b/");
    skl_url_encode(b, skl_str(bucket));
    skl_buf_adds(b, "/o");
    if (!object)
        return;
    skl_buf_addc(b, '/');
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

static bool note_name(void *arg, const cJSON *item)
{
    const char *name = skl_json_get_str(item, "name");
    char ***names = arg;

    if (!skl_str_empty(name))
        skl_strv_push(names, name);
    return skl_strv_len(*names) < PAGE;
}

static int delete_all(struct skl_gcp_client *c, const char *bucket, char *const *names,
                      const struct skl_buf *what, const struct skl_gcp_context *context,
                      struct skl_error *err)
{
    for (; *names; names++) {
        SKL_AUTO_GCP_RESULT struct skl_gcp_result r = {0};
        SKL_AUTO_BUF struct skl_buf path = {0};
        struct skl_gcp_call call;
        int rc;

        object_path(&path, bucket, *names);
        call = storage_call("objects.delete", "DELETE", &path, what, context);
        rc = skl_gcp_send(c, &call, &r, err);
        if (rc < 0 && r.status != 404)
            return rc;
    }
    return 0;
}

int skl_storage_delete_prefix(struct skl_gcp_client *c, const char *bucket, const char *prefix,
                              const struct skl_gcp_context *context, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf path = {0}, query = {0}, what = {0};

    if (skl_str_empty(prefix))
        return skl_fail(err, SKL_E_INVALID, "that would delete all of bucket '%s'", bucket);
    skl_buf_init(&what, MAX_WHAT);
    skl_buf_addf(&what, "deleting '%s' in bucket '%s'", prefix, bucket);
    object_path(&path, bucket, NULL);
    skl_buf_init(&query, MAX_PATH);
    skl_buf_addf(&query, "fields=items(name),nextPageToken&maxResults=%d&prefix=", PAGE);
    skl_url_encode(&query, skl_str(prefix));
    for (int i = 0; i < MAX_ROUNDS; i++) {
        struct skl_gcp_call call = storage_call("objects.list", "GET", &path, &what, context);
        char **names = NULL;
        int rc;

        call.query = query.p;
        rc = skl_gcp_list(c, &call, "items", note_name, &names, err);
        if (rc == 0 && names)
            rc = delete_all(c, bucket, names, &what, context, err);
        else if (rc == 0)
            return 0;
        skl_strv_free(names);
        if (rc < 0)
            return rc;
    }
    return skl_fail(err, SKL_E_CONFLICT, "%s: somebody else fills it again", what.p);
}
