/* Cloud Storage: buckets as folders, objects as files, so that a bucket can be a volume. An object whose name ends in
 * '/' is a folder. What the files cannot keep (generation, type) is kept in memory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define PAGE 1000

struct bucket {
    char *name, *dir, *location;
    char create_time[SKL_TIME_LEN];
};

char *gcp_bucket_dir(struct sim *s, const char *bucket)
{
    struct bucket *b = bucket ? skl_map_getz(&s->buckets, bucket) : NULL;

    return b ? skl_strdup(b->dir) : NULL;
}

void gcp_bucket_add(struct sim *s, const char *name)
{
    struct bucket *b;

    if (skl_map_getz(&s->buckets, name))
        return;
    b = skl_new0(struct bucket);
    b->name = skl_strdup(name);
    b->dir = gcp_format("%s/bucket-%s", s->state_dir, name);
    skl_time_format(skl_wall_ns(), b->create_time);
    if (mkdir(b->dir, 0777) == 0)
        (void)chmod(b->dir, 0777);
    skl_map_set(&s->buckets, skl_str(name), b);
}

static bool is_object_name(const char *name)
{
    struct skl_str rest = skl_str(name);

    if (rest.n == 0 || rest.n > 1024 || *name == '/')
        return false;
    while (rest.p) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);

        if (skl_str_eqz(part, ".") || skl_str_eqz(part, "..") || (part.n == 0 && rest.n > 0))
            return false;
    }
    return true;
}

static char *file_of(const struct bucket *b, const char *object)
{
    return gcp_format("%s/%s", b->dir, object);
}

bool gcp_object_exists(struct sim *s, const char *bucket, const char *object)
{
    struct bucket *b = bucket ? skl_map_getz(&s->buckets, bucket) : NULL;
    char *path SKL_AUTO_STR = b && object ? file_of(b, object) : NULL;

    return path && is_object_name(object) && access(path, F_OK) == 0;
}

/* -- objects */

/* "/storage/v1/b/B/o/a%2Fb" for links; Google encodes the whole name. */
static char *object_path(const struct bucket *b, const char *object)
{
    struct skl_buf t;

    skl_buf_init(&t, 64 * SKL_KIB);
    skl_buf_addf(&t, "/storage/v1/b/%s/o/", b->name);
    skl_url_encode(&t, skl_str(object));
    return skl_buf_detach(&t);
}

static cJSON *object_json(const struct bucket *b, const char *object, const struct stat *st)
{
    cJSON *json = cJSON_CreateObject();
    int64_t ns = (int64_t)st->st_mtim.tv_sec * SKL_NS_PER_S + st->st_mtim.tv_nsec;
    char *link SKL_AUTO_STR = object_path(b, object);
    char *size SKL_AUTO_STR =
        gcp_format("%lld", S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size);
    char *generation SKL_AUTO_STR = gcp_format("%lld", (long long)(ns / 1000));
    char *id SKL_AUTO_STR = gcp_format("%s/%s/%s", b->name, object, generation);
    char when[SKL_TIME_LEN];

    cJSON_AddStringToObject(json, "kind", "storage#object");
    cJSON_AddStringToObject(json, "id", id);
    cJSON_AddStringToObject(json, "selfLink", link);
    cJSON_AddStringToObject(json, "name", object);
    cJSON_AddStringToObject(json, "bucket", b->name);
    cJSON_AddStringToObject(json, "generation", generation);
    cJSON_AddStringToObject(json, "metageneration", "1");
    cJSON_AddStringToObject(json, "contentType", "application/octet-stream");
    cJSON_AddStringToObject(json, "size", size);
    cJSON_AddStringToObject(json, "timeCreated", skl_time_format(ns, when));
    cJSON_AddStringToObject(json, "updated", when);
    return json;
}

static bool make_parents(const struct bucket *b, const char *object)
{
    char *path SKL_AUTO_STR = file_of(b, object);

    for (char *p = path + strlen(b->dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        if (mkdir(path, 0777) == 0)
            (void)chmod(path, 0777);
        else if (errno != EEXIST)
            return false;
        *p = '/';
    }
    return true;
}

/* Under another name first: who has mounted the bucket sees the old content or the new. */
static bool write_object(const struct bucket *b, const char *object, struct skl_str data)
{
    char *path SKL_AUTO_STR = file_of(b, object);
    char *fresh SKL_AUTO_STR = gcp_format("%s/.upload-%lld", b->dir, (long long)skl_wall_ns());
    size_t done = 0;
    int fd;

    if (!make_parents(b, object))
        return false;
    if (path[strlen(path) - 1] == '/')
        return true; /* a folder, made as a parent */
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    while (fd >= 0 && done < data.n) {
        ssize_t n = write(fd, data.p + done, data.n - done);

        if (n < 0)
            break;
        done += (size_t)n;
    }
    if (fd >= 0) {
        (void)fchmod(fd, 0777);
        close(fd);
    }
    if (fd >= 0 && done == data.n && rename(fresh, path) == 0)
        return true;
    (void)unlink(fresh);
    return false;
}

static void storage_error(struct sim_answer *a, int status, const char *reason, const char *text)
{
    char *b SKL_AUTO_STR =
        gcp_format("{\"error\":{\"code\":%d,\"message\":\"%s\",\"errors\":[{\"message\":\"%s\","
                   "\"domain\":\"global\",\"reason\":\"%s\"}]}}",
                   status, text, text, reason);

    sim_text(a, status, b);
}

static void show_object(const struct bucket *b, const char *object, struct sim_answer *a)
{
    char *path SKL_AUTO_STR = file_of(b, object);
    struct stat st;
    cJSON *json;

    if (stat(path, &st) < 0) {
        storage_error(a, 404, "notFound", "No such object.");
        return;
    }
    json = object_json(b, object, &st);
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

static void send_object(const struct bucket *b, const char *object, struct sim_answer *a)
{
    char *path SKL_AUTO_STR = file_of(b, object);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd < 0) {
        storage_error(a, 404, "notFound", "No such object.");
        return;
    }
    do {
        char *p = skl_buf_reserve(&a->body, 64 * SKL_KIB);

        n = p ? read(fd, p, 64 * SKL_KIB) : 0;
        if (n > 0)
            skl_buf_commit(&a->body, (size_t)n);
    } while (n > 0);
    close(fd);
    a->status = 200;
    a->type = "application/octet-stream";
}

/* A folder without objects is none, unless it is mounted: what is mounted stays, so that its user sees what comes. */
static void remove_empty_parents(struct sim *s, const struct bucket *b, const char *object)
{
    char *path SKL_AUTO_STR = file_of(b, object);
    size_t least = strlen(b->dir);

    for (;;) {
        char *slash = strrchr(path, '/');

        if (!slash || (size_t)(slash - path) <= least)
            return;
        *slash = '\0';
        if (gcp_is_mounted(s, path) || rmdir(path) < 0)
            return;
    }
}

static void remove_object(struct sim *s, const struct bucket *b, const char *object,
                          struct sim_answer *a)
{
    char *path SKL_AUTO_STR = file_of(b, object);
    struct stat st;

    if (lstat(path, &st) < 0) {
        storage_error(a, 404, "notFound", "No such object.");
        return;
    }
    if (!S_ISDIR(st.st_mode))
        (void)unlink(path);
    else if (!gcp_is_mounted(s, path))
        (void)rmdir(path); /* one with objects is there as long as they are */
    if (path[strlen(path) - 1] != '/')
        remove_empty_parents(s, b, object);
    a->status = 204;
}

/* -- lists */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files, and folders that hold nothing. Returns how many. */
static size_t collect(const struct bucket *b, const char *below, char ***names)
{
    char *path SKL_AUTO_STR = file_of(b, below);
    DIR *dir = opendir(path);
    struct dirent *e;
    size_t n = 0;

    while (dir && (e = readdir(dir))) {
        char *name SKL_AUTO_STR = gcp_format("%s%s", below, e->d_name);
        char *folder SKL_AUTO_STR = gcp_format("%s/", name);
        char *full SKL_AUTO_STR = file_of(b, name);
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strncmp(e->d_name, ".upload-", 8) == 0 || lstat(full, &st) < 0)
            continue;
        n++;
        if (!S_ISDIR(st.st_mode))
            skl_strv_push(names, name);
        else if (collect(b, folder, names) == 0)
            skl_strv_push(names, folder);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* The name, or the part up to the delimiter behind the prefix; *cut: it is such a part. */
static char *shown_name(const char *name, size_t prefix_n, const char *delimiter, bool *cut)
{
    const char *at = skl_str_empty(delimiter) ? NULL : strstr(name + prefix_n, delimiter);

    *cut = at && at[strlen(delimiter)] != '\0';
    return *cut ? skl_strndup(name, (size_t)(at - name) + strlen(delimiter)) : skl_strdup(name);
}

static void list_objects(const struct bucket *b, const struct sim_request *r, struct sim_answer *a)
{
    char *prefix SKL_AUTO_STR = sim_query(r, "prefix");
    char *delimiter SKL_AUTO_STR = sim_query(r, "delimiter");
    char *token SKL_AUTO_STR = sim_query(r, "pageToken");
    char *size SKL_AUTO_STR = sim_query(r, "maxResults");
    cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "items");
    cJSON *prefixes = cJSON_CreateArray();
    size_t prefix_n = prefix ? strlen(prefix) : 0;
    uint64_t limit = PAGE, count = 0;
    char *last = NULL;
    char **names = NULL;

    if (size && (!skl_str_u64(skl_str(size), &limit) || limit == 0 || limit > PAGE))
        limit = PAGE;
    (void)collect(b, "", &names);
    if (names)
        qsort(names, skl_strv_len(names), sizeof(*names), by_text);
    for (char **n = names; n && *n; n++) {
        char *path SKL_AUTO_STR = file_of(b, *n);
        char *shown SKL_AUTO_STR = NULL;
        struct stat st;
        bool cut;

        if (strncmp(*n, prefix ? prefix : "", prefix_n) != 0 || stat(path, &st) < 0)
            continue;
        shown = shown_name(*n, prefix_n, delimiter, &cut);
        if ((token && strcmp(*n, token) < 0) || (cut && skl_streq(shown, last)))
            continue;
        if (count++ == limit) {
            cJSON_AddStringToObject(json, "nextPageToken", *n);
            break;
        }
        cJSON_AddItemToArray(cut ? prefixes : items,
                             cut ? cJSON_CreateString(shown) : object_json(b, *n, &st));
        skl_strset(&last, cut ? shown : NULL);
    }
    cJSON_AddItemToObject(json, "prefixes", prefixes);
    cJSON_AddStringToObject(json, "kind", "storage#objects");
    sim_json(a, 200, json);
    cJSON_Delete(json);
    skl_strv_free(names);
    free(last);
}

/* -- uploads */

static void upload(struct bucket *b, const struct sim_request *r, struct sim_answer *a)
{
    char *type SKL_AUTO_STR = sim_query(r, "uploadType");
    char *name SKL_AUTO_STR = sim_query(r, "name");
    char *match SKL_AUTO_STR = sim_query(r, "ifGenerationMatch");
    char *path SKL_AUTO_STR = file_of(b, name ? name : "");

    if (!skl_streq(type, "media"))
        storage_error(a, 400, "invalid", "This simulator takes uploadType=media only.");
    else if (!name || !is_object_name(name))
        storage_error(a, 400, "invalid", "Invalid object name.");
    else if (skl_streq(match, "0") && access(path, F_OK) == 0)
        storage_error(a, 412, "conditionNotMet",
                      "At least one of the pre-conditions you specified did not hold.");
    else if (!write_object(b, name, r->body))
        storage_error(a, 500, "backendError", "The object could not be written.");
    else
        show_object(b, name, a);
}

/* PUT to what generateUploadUrl gave: signed, so without a token. */
static void signed_upload(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                          struct sim_answer *a)
{
    char *signature SKL_AUTO_STR = sim_query(r, "X-Goog-Signature");
    struct bucket *b = skl_map_getz(&s->buckets, p->parts[0]);
    const char *expected = skl_map_getz(&s->uploads, p->parts[1]);

    if (!b || !expected || !skl_streq(signature, expected) || !skl_streq(r->method, "PUT"))
        gcp_html(a, 403, "Forbidden", "SignatureDoesNotMatch");
    else if (sim_header(r, "Authorization"))
        gcp_html(a, 400, "Bad Request", "A signed URL takes no Authorization header.");
    else if (!skl_streq(sim_header(r, "Content-Type"), "application/zip"))
        gcp_html(a, 403, "Forbidden", "SignatureDoesNotMatch: content-type");
    else if (write_object(b, p->parts[1], r->body))
        a->status = 200;
    else
        gcp_html(a, 500, "Internal Error", "The object could not be written.");
}

/* -- buckets */

static cJSON *bucket_json(const struct bucket *b)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "kind", "storage#bucket");
    cJSON_AddStringToObject(json, "id", b->name);
    cJSON_AddStringToObject(json, "name", b->name);
    cJSON_AddStringToObject(json, "location", "US-CENTRAL1");
    cJSON_AddStringToObject(json, "timeCreated", b->create_time);
    return json;
}

static void insert_bucket(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *body = gcp_request(s, r, "storage", "Bucket", a);
    const char *name = skl_json_get_str(body, "name");
    cJSON *json;

    if (!body)
        return;
    if (!name || strlen(name) < 3 || strlen(name) > 63 || strchr(name, '/') || name[0] == '.') {
        storage_error(a, 400, "invalid", "Invalid bucket name.");
        return;
    }
    if (skl_map_getz(&s->buckets, name)) {
        storage_error(a, 409, "conflict",
                      "Your previous request to create the named bucket "
                      "succeeded and you already own it.");
        return;
    }
    gcp_bucket_add(s, name);
    json = bucket_json(skl_map_getz(&s->buckets, name));
    sim_json(a, 200, json);
    cJSON_Delete(json);
}

/* ..., b, B[, o[, OBJECT...]]; at: the index of "b" */
static void bucket_route(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                         size_t at, bool is_upload, struct sim_answer *a)
{
    struct bucket *b = p->n > at + 1 ? skl_map_getz(&s->buckets, p->parts[at + 1]) : NULL;
    char *media SKL_AUTO_STR = sim_query(r, "alt");
    const char *object = p->n > at + 3 ? p->parts[at + 3] : NULL;

    if (!b) {
        storage_error(a, 404, "notFound", "The specified bucket does not exist.");
    } else if (p->n == at + 2 && skl_streq(r->method, "GET")) {
        cJSON *json = bucket_json(b);

        sim_json(a, 200, json);
        cJSON_Delete(json);
    } else if (p->n == at + 2 && skl_streq(r->method, "DELETE")) {
        if (rmdir(b->dir) < 0) {
            storage_error(a, 409, "conflict", "The bucket you tried to delete is not empty.");
            return;
        }
        skl_map_remove(&s->buckets, skl_str(b->name));
        a->status = 204;
    } else if (p->n == at + 4 && skl_streq(p->parts[at + 2], "iam") &&
               skl_streq(p->parts[at + 3], "testPermissions") && skl_streq(r->method, "GET")) {
        gcp_bucket_permissions(s, r, a);
    } else if (p->n == at + 3 && is_upload && skl_streq(r->method, "POST")) {
        upload(b, r, a);
    } else if (p->n == at + 3 && skl_streq(r->method, "GET")) {
        list_objects(b, r, a);
    } else if (object && (!is_object_name(object) || p->n > at + 4)) {
        storage_error(a, 404, "notFound", "No such object.");
    } else if (object && skl_streq(r->method, "DELETE")) {
        remove_object(s, b, object, a);
    } else if (object && skl_streq(r->method, "GET")) {
        (skl_streq(media, "media") ? send_object : show_object)(b, object, a);
    } else {
        gcp_unknown(r, a);
    }
}

bool gcp_storage(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                 struct sim_answer *a)
{
    bool is_upload = skl_streq(p->parts[0], "upload");
    bool is_download = skl_streq(p->parts[0], "download");
    size_t at = is_upload || is_download ? 3 : 2;

    if (p->n == 2 && skl_str_starts(skl_str(p->parts[0]), "gcf-v2-uploads-")) {
        signed_upload(s, r, p, a);
        return true;
    }
    if (p->n <= at || strcmp(p->parts[at - 2], "storage") != 0 || strcmp(p->parts[at], "b") != 0)
        return false;
    if (!gcp_auth_check(s, r, a))
        return true;
    if (p->n == at + 1 && skl_streq(r->method, "POST"))
        insert_bucket(s, r, a);
    else
        bucket_route(s, r, p, at, is_upload, a);
    return true;
}
