/* Binds, Mounts, Volumes and VolumesFrom become one list of mounts.
 *
 * All is checked before anything is made: volumes are created last, so that a refused container leaves none.
 * Host paths are refused: the workload runs on another machine, and an empty folder in their place would be a lie.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/id.h"
#include "base/json_read.h"
#include "docker/api/render.h"
#include "docker/containers/create_internal.h"

#define VOLUME_PATH "/var/lib/docker/volumes/%s/_data"

static struct skl_mount *find_mount(struct skl_container_spec *spec, const char *destination)
{
    for (size_t i = 0; i < spec->n_mounts; i++)
        if (skl_streq(spec->mounts[i].destination, destination))
            return &spec->mounts[i];
    return NULL;
}

static struct skl_mount *push_mount(struct skl_container_spec *spec, const char *type,
                                    const char *name, char *own_destination)
{
    struct skl_mount *m;
    char source[512] = "";

    spec->mounts = skl_realloc(spec->mounts, spec->n_mounts + 1, sizeof(*m));
    m = &spec->mounts[spec->n_mounts++];
    if (name)
        snprintf(source, sizeof(source), VOLUME_PATH, name);
    *m = (struct skl_mount){
        .type = skl_strdup(type),
        .name = skl_strdup(name),
        .source = skl_strdup(source),
        .destination = own_destination,
        .mode = skl_strdup(""),
        .propagation = skl_strdup(""),
        .rw = true,
    };
    return m;
}

static int refuse_host_path(const struct skl_create *x, const char *source, struct skl_error *err)
{
    const char *title = x->engine->backend->title;

    if (skl_str_ends(skl_str(source), "/docker.sock"))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "the Docker socket cannot be mounted into a container on %s: give the "
                        "container DOCKER_HOST with a TCP address of this daemon instead",
                        title);
    return skl_fail(err, SKL_E_UNSUPPORTED,
                    "bind mounts of host paths are not available on %s: use a volume or docker cp "
                    "instead of '%.200s'",
                    title, source);
}

static bool is_volume_name(const char *s)
{
    static const char other[] = "_.-";
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!alnum && (i == 0 || !strchr(other, c)))
            return false;
    }
    return n >= 2 && n <= 255;
}

int skl_volume_name_check(const char *name, struct skl_error *err)
{
    if (is_volume_name(name))
        return 0;
    if (strlen(name) < 2)
        return skl_fail(err, SKL_E_INVALID,
                        "create %s: volume name is too short, names should be at least two "
                        "alphanumeric characters",
                        name);
    return skl_fail(err, SKL_E_INVALID,
                    "create %.100s: \"%.100s\" includes invalid characters for a local volume "
                    "name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass "
                    "a host directory, use absolute path",
                    name, name);
}

/* The cleaned path, checked. */
static int take_destination(const char *path, const char *whole, char **ret, struct skl_error *err)
{
    SKL_AUTO_STR char *clean = skl_path_clean(path);

    if (!clean)
        return skl_fail(err, SKL_E_INVALID,
                        "invalid volume specification: '%.200s': invalid mount path: '%.200s' "
                        "mount path must be absolute",
                        whole, path);
    if (skl_streq(clean, "/"))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid volume specification: '%.200s': invalid specification: "
                        "destination can't be '/'",
                        whole);
    *ret = skl_take(&clean);
    return 0;
}

static int duplicate(const char *destination, struct skl_error *err)
{
    return skl_fail(err, SKL_E_INVALID, "Duplicate mount point: %.200s", destination);
}

static void plan(struct skl_create *x, const char *name, bool anonymous)
{
    skl_strv_push(&x->planned_volumes, name);
    skl_strv_push(&x->planned_volumes, anonymous ? "a" : "n");
}

/* -- Binds: "name:/path[:options]" */

static int check_mode(const char *mode, bool *rw, struct skl_error *err)
{
    static const char *const known[] = {"ro",      "rw",     "z",         "Z",         "nocopy",
                                        "rshared", "shared", "rslave",    "slave",     "rprivate",
                                        "private", "cached", "delegated", "consistent"};
    struct skl_str rest = skl_str(mode);

    while (rest.n > 0) {
        struct skl_str one = skl_str_cut(rest, ',', &rest);
        size_t i = 0;

        while (i < SKL_ARRAY_LEN(known) && !skl_str_eqz(one, known[i]))
            i++;
        if (i == SKL_ARRAY_LEN(known))
            return skl_fail(err, SKL_E_INVALID, "invalid mode: %.100s", mode);
        if (skl_str_eqz(one, "ro"))
            *rw = false;
    }
    return 0;
}

static int take_bind(struct skl_create *x, const char *bind, struct skl_error *err)
{
    struct skl_str tail, mode_text, first = skl_str_cut(skl_str(bind), ':', &tail);
    struct skl_str path = skl_str_cut(tail, ':', &mode_text);
    SKL_AUTO_STR char *source = skl_str_dup(first);
    SKL_AUTO_STR char *target = skl_str_dup(path);
    SKL_AUTO_STR char *mode = skl_str_dup(mode_text.p ? mode_text : SKL_STR(""));
    char *destination;
    struct skl_mount *m;
    bool rw = true;
    int rc;

    if (!tail.p || first.n == 0 || path.n == 0 || strchr(mode, ':'))
        return skl_fail(err, SKL_E_INVALID, "invalid volume specification: '%.200s'", bind);
    rc = check_mode(mode, &rw, err);
    if (rc == 0 && source[0] != '/')
        rc = skl_volume_name_check(source, err);
    if (rc == 0)
        rc = take_destination(target, bind, &destination, err);
    if (rc < 0)
        return rc;
    if (find_mount(&x->c->spec, destination)) {
        rc = duplicate(destination, err);
        free(destination);
        return rc;
    }
    if (source[0] == '/') {
        free(destination);
        return refuse_host_path(x, source, err);
    }
    m = push_mount(&x->c->spec, "volume", source, destination);
    m->rw = rw;
    skl_strset(&m->mode, *mode ? mode : "z");
    plan(x, source, false);
    return 0;
}

/* -- Mounts */

static int refuse_options(const cJSON *mount, const char *type, struct skl_error *err)
{
    static const struct {
        const char *option, *type;
    } pairs[] = {
        {"BindOptions", "bind"},
        {"VolumeOptions", "volume"},
        {"TmpfsOptions", "tmpfs"},
    };

    for (size_t i = 0; i < SKL_ARRAY_LEN(pairs); i++)
        if (skl_json_get(mount, pairs[i].option) && !skl_streq(type, pairs[i].type))
            return skl_fail(err, SKL_E_INVALID, "%s must not be specified on mount type \"%s\"",
                            pairs[i].option, type);
    return 0;
}

static int take_volume_mount(struct skl_create *x, const cJSON *mount, char *own_destination,
                             struct skl_error *err)
{
    const cJSON *options = skl_json_get(mount, "VolumeOptions");
    const cJSON *driver = skl_json_get(options, "DriverConfig");
    const char *driver_name = skl_json_get_str(driver, "Name");
    const char *source = skl_json_get_str(mount, "Source");
    char name[65];
    struct skl_mount *m;

    if (!skl_str_empty(driver_name) && !skl_streq(driver_name, "local")) {
        free(own_destination);
        return skl_fail(err, SKL_E_NOTFOUND,
                        "error looking up volume plugin %.100s: plugin \"%.100s\" not found",
                        driver_name, driver_name);
    }
    if (!skl_str_empty(source) && skl_volume_name_check(source, err) < 0) {
        free(own_destination);
        return -SKL_E_INVALID;
    }
    skl_random_hex(name, SKL_ID_LEN);
    m = push_mount(&x->c->spec, "volume", skl_str_empty(source) ? name : source, own_destination);
    m->anonymous = skl_str_empty(source);
    skl_strset(&m->mode, "z");
    plan(x, m->name, m->anonymous);
    return 0;
}

static int take_typed_mount(struct skl_create *x, const cJSON *mount, const char *type,
                            char *own_destination, struct skl_error *err)
{
    const char *source = skl_json_get_str(mount, "Source");

    if (skl_streq(type, "volume"))
        return take_volume_mount(x, mount, own_destination, err);
    if (skl_streq(type, "tmpfs")) {
        if (!skl_str_empty(source)) {
            free(own_destination);
            return skl_fail(err, SKL_E_INVALID,
                            "invalid mount config for type \"tmpfs\": field Source must not be "
                            "specified");
        }
        (void)push_mount(&x->c->spec, "tmpfs", NULL, own_destination);
        return 0;
    }
    free(own_destination);
    if (skl_streq(type, "bind")) {
        if (skl_str_empty(source))
            return skl_fail(err, SKL_E_INVALID,
                            "invalid mount config for type \"bind\": field Source must not be "
                            "empty");
        return refuse_host_path(x, source, err);
    }
    if (skl_streq(type, "cluster") || skl_streq(type, "image"))
        return skl_fail(err, SKL_E_UNSUPPORTED,
                        "mounts of type %s are not available on %s: use a volume or docker cp",
                        type, x->engine->backend->title);
    return skl_fail(err, SKL_E_INVALID,
                    "invalid mount config for type \"%.100s\": mount type unknown", type);
}

static int take_mount(struct skl_create *x, const cJSON *mount, struct skl_error *err)
{
    const char *type = skl_json_get_str(mount, "Type");
    const char *target = skl_json_get_str(mount, "Target");
    SKL_AUTO_STR char *clean = target ? skl_path_clean(target) : NULL;
    struct skl_mount *m;
    int rc;

    type = skl_str_empty(type) ? "volume" : type;
    if (skl_str_empty(target))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid mount config for type \"%.50s\": field Target must not be empty",
                        type);
    if (!clean)
        return skl_fail(err, SKL_E_INVALID,
                        "invalid mount config for type \"%.50s\": invalid mount path: '%.200s' "
                        "mount path must be absolute",
                        type, target);
    if (skl_streq(clean, "/"))
        return skl_fail(err, SKL_E_INVALID,
                        "invalid mount config for type \"%.50s\": invalid specification: "
                        "destination can't be '/'",
                        type);
    rc = x->version >= 142 ? refuse_options(mount, type, err) : 0;
    if (rc < 0)
        return rc;
    if (find_mount(&x->c->spec, clean))
        return duplicate(clean, err);
    rc = take_typed_mount(x, mount, type, skl_strdup(clean), err);
    if (rc < 0)
        return rc;
    m = find_mount(&x->c->spec, clean);
    SKL_ASSERT(m); /* it was taken just now */
    m->rw = !skl_json_get_bool(mount, "ReadOnly", false);
    m->request_json = skl_render_text(mount);
    return 0;
}

/* -- Volumes, VolumesFrom, tmpfs */

static int take_anonymous(struct skl_create *x, const char *path, struct skl_error *err)
{
    char *destination, name[65];
    int rc = take_destination(path, path, &destination, err);

    if (rc < 0)
        return rc;
    if (find_mount(&x->c->spec, destination)) { /* a named one stands there */
        free(destination);
        return 0;
    }
    skl_random_hex(name, SKL_ID_LEN);
    push_mount(&x->c->spec, "volume", name, destination)->anonymous = true;
    plan(x, name, true);
    return 0;
}

static int take_volumes_from(struct skl_create *x, const char *text, struct skl_error *err)
{
    struct skl_str mode, id = skl_str_cut(skl_str(text), ':', &mode);
    SKL_AUTO_STR char *ref = skl_str_dup(id);
    SKL_AUTO_STR char *mode_text = skl_str_dup(mode.p ? mode : SKL_STR(""));
    struct skl_container *from;
    bool rw = true;
    int rc = check_mode(mode_text, &rw, err);

    if (rc < 0)
        return rc;
    if (skl_container_find(x->engine->store, ref, &from, err) < 0) {
        err->kind = SKL_E_INVALID; /* it is not what the request is about */
        return -SKL_E_INVALID;
    }
    for (size_t i = 0; i < from->spec.n_mounts; i++) {
        const struct skl_mount *m = &from->spec.mounts[i];
        struct skl_mount *copy;

        if (find_mount(&x->c->spec, m->destination))
            continue;
        copy = push_mount(&x->c->spec, m->type, m->name, skl_strdup(m->destination));
        copy->rw = m->rw && rw;
        skl_strset(&copy->mode, m->mode);
    }
    return 0;
}

int skl_create_take_mounts(struct skl_create *x, struct skl_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(x->host, "Binds"))
    {
        if (take_bind(x, item->valuestring, err) < 0)
            return -(int)err->kind;
    }
    cJSON_ArrayForEach(item, skl_json_get(x->host, "Mounts"))
    {
        if (take_mount(x, item, err) < 0)
            return -(int)err->kind;
    }
    cJSON_ArrayForEach(item, skl_json_get(x->host, "VolumesFrom"))
    {
        if (take_volumes_from(x, item->valuestring, err) < 0)
            return -(int)err->kind;
    }
    cJSON_ArrayForEach(item, skl_json_get(x->host, "Tmpfs"))
    {
        SKL_AUTO_STR char *destination = skl_path_clean(item->string);

        if (!destination)
            return skl_fail(err, SKL_E_INVALID,
                            "invalid mount path: '%.200s' mount path must be absolute",
                            item->string);
        if (skl_streq(destination, "/"))
            return skl_fail(err, SKL_E_INVALID, "invalid specification: destination can't be '/'");
        if (find_mount(&x->c->spec, destination))
            return duplicate(destination, err);
        skl_buf_addf(&x->warnings, "%.200s is an ordinary folder of the container, no tmpfs.\n",
                     destination);
    }
    cJSON_ArrayForEach(item, skl_json_get(x->config, "Volumes"))
    {
        if (take_anonymous(x, item->string, err) < 0)
            return -(int)err->kind;
    }
    return 0;
}

int skl_create_make_volumes(struct skl_create *x, struct skl_error *err)
{
    struct skl_store *s = x->engine->store;

    for (char **p = x->planned_volumes; p && *p; p += 2) {
        struct skl_volume *v;
        int rc;

        if (skl_volume_find(s, p[0]))
            continue;
        v = skl_volume_new();
        v->name = skl_strdup(p[0]);
        v->driver = skl_strdup("local");
        v->anonymous = p[1][0] == 'a';
        rc = skl_volume_add(s, v, &v, err);
        if (rc < 0)
            return rc;
        skl_strv_push(&x->new_volumes, p[0]);
    }
    return 0;
}

void skl_create_undo_volumes(struct skl_create *x)
{
    for (char **p = x->new_volumes; p && *p; p++) {
        struct skl_volume *v = skl_volume_find(x->engine->store, *p);

        if (v)
            (void)skl_volume_remove(x->engine->store, v, NULL); /* stays as an empty record then */
    }
}
