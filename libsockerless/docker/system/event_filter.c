#include "docker/system/event_filter.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

static const char *const keys[] = {"config", "container", "daemon", "event",  "image",
                                   "label",  "network",   "node",   "plugin", "scope",
                                   "secret", "service",   "type",   "volume", NULL};

int skl_event_filter_parse(const char *text, struct skl_filters *ret, struct skl_error *err)
{
    int rc = skl_filters_parse(text, ret, err);

    if (rc == 0)
        rc = skl_filters_accept(ret, keys, err);
    if (rc < 0)
        skl_filters_fini(ret);
    return rc;
}

static const char *attribute(const struct skl_event *e, const char *name)
{
    for (char **p = e->attributes; p && p[0]; p += 2)
        if (skl_streq(p[0], name))
            return p[1];
    return NULL;
}

/* exec and health actions carry a command or a status behind a colon: they are meant by their first word. */
static bool takes_action(const struct skl_filters *f, const struct skl_event *e)
{
    char *const *v = skl_filters_values(f, "event");

    if (!v)
        return true;
    for (; *v; v++) {
        size_t n = strlen(*v);

        if (skl_streq(*v, e->action) ||
            (skl_str_starts(skl_str(e->action), *v) && e->action[n] == ':'))
            return true;
    }
    return false;
}

/* By id or name, either may be cut short. */
static bool takes_object(const struct skl_filters *f, const struct skl_event *e, const char *type)
{
    const char *name = attribute(e, "name");

    if (!skl_filters_has(f, type))
        return true;
    if (!skl_streq(e->type, type))
        return false;
    return skl_filters_prefix(f, type, e->actor_id) || (name && skl_filters_prefix(f, type, name));
}

/* Containers are meant as well: by the image that they run. */
static bool takes_image(const struct skl_filters *f, const struct skl_event *e)
{
    const char *name = attribute(e, skl_streq(e->type, "container") ? "image" : "name");

    if (!skl_filters_has(f, "image"))
        return true;
    if (!skl_streq(e->type, "container") && !skl_streq(e->type, "image"))
        return false;
    return skl_filters_prefix(f, "image", e->actor_id) ||
           (name && skl_filters_prefix(f, "image", name));
}

static bool takes_labels(const struct skl_filters *f, const struct skl_event *e)
{
    const struct skl_labels labels = {e->attributes};

    return skl_filters_labels(f, "label", &labels);
}

bool skl_event_filter_takes(const struct skl_filters *f, const struct skl_event *e)
{
    static const char *const objects[] = {"container", "network", "volume", "daemon", "config",
                                          "node",      "plugin",  "secret", "service"};

    if (f->n == 0)
        return true;
    for (size_t i = 0; i < SKL_ARRAY_LEN(objects); i++)
        if (!takes_object(f, e, objects[i]))
            return false;
    return skl_filters_exact(f, "type", e->type) && skl_filters_exact(f, "scope", "local") &&
           takes_action(f, e) && takes_image(f, e) && takes_labels(f, e);
}

void skl_event_render(const struct skl_event *e, struct skl_buf *b)
{
    bool container = skl_streq(e->type, "container");
    struct skl_json j;

    skl_json_init(&j, b);
    skl_json_object(&j, NULL);
    if (container || skl_streq(e->type, "image")) {
        skl_json_str(&j, "status", e->action);
        if (!skl_str_empty(e->actor_id))
            skl_json_str(&j, "id", e->actor_id);
    }
    if (container && e->from)
        skl_json_str(&j, "from", e->from);
    skl_json_str(&j, "Type", e->type);
    skl_json_str(&j, "Action", e->action);
    skl_json_object(&j, "Actor");
    skl_json_str(&j, "ID", e->actor_id);
    skl_json_object(&j, "Attributes");
    for (char **p = e->attributes; p && p[0]; p += 2)
        skl_json_str(&j, p[0], p[1]);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    skl_json_str(&j, "scope", "local");
    skl_json_int(&j, "time", e->time_ns / SKL_NS_PER_S);
    skl_json_int(&j, "timeNano", e->time_ns);
    skl_json_end_object(&j);
    skl_buf_addc(b, '\n');
}

/* -- times */

static bool parse_seconds(struct skl_str s, int64_t *ret_ns)
{
    struct skl_str fraction, whole = skl_str_cut(s, '.', &fraction);
    int64_t seconds, ns = 0, unit = SKL_NS_PER_S;

    if (!skl_str_i64(whole, &seconds) || seconds > INT64_MAX / SKL_NS_PER_S ||
        seconds < INT64_MIN / SKL_NS_PER_S)
        return false;
    for (size_t i = 0; i < fraction.n; i++) {
        if (fraction.p[i] < '0' || fraction.p[i] > '9')
            return false;
        if (unit > 1) {
            unit /= 10;
            ns += (fraction.p[i] - '0') * unit;
        }
    }
    if (seconds > INT64_MAX / SKL_NS_PER_S - 1)
        return false;
    *ret_ns = seconds * SKL_NS_PER_S + ns;
    return true;
}

/* "1h30m", "10m", "1.5s", "300ms" */
static bool parse_duration(struct skl_str s, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {
        {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
    };
    double total = 0;

    if (s.n == 0)
        return false;
    while (s.n > 0) {
        size_t digits = 0, letters = 0, u = 0;
        double value = 0, scale = 0;

        for (; digits < s.n && ((s.p[digits] >= '0' && s.p[digits] <= '9') || s.p[digits] == '.');
             digits++) {
            if (s.p[digits] == '.') {
                if (scale > 0)
                    return false;
                scale = 1;
                continue;
            }
            value = value * 10 + (s.p[digits] - '0');
            scale *= 10;
        }
        if (scale > 0)
            value /= scale;
        while (digits + letters < s.n && s.p[digits + letters] >= 'a' &&
               s.p[digits + letters] <= 'z')
            letters++;
        while (u < SKL_ARRAY_LEN(units) &&
               !skl_str_eqz(skl_str_n(s.p + digits, letters), units[u].name))
            u++;
        if (digits == 0 || u == SKL_ARRAY_LEN(units))
            return false;
        total += value * units[u].ns;
        s = skl_str_skip(s, digits + letters);
    }
    if (!(total < 9e18))
        return false;
    *ret_ns = (int64_t)total;
    return true;
}

int skl_event_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns, struct skl_error *err)
{
    struct skl_str s = skl_str_trim(skl_str(text));
    int64_t back;

    if (parse_seconds(s, ret_ns) || skl_time_parse(s, ret_ns))
        return 0;
    if (parse_duration(s, &back)) {
        *ret_ns = now_ns - back;
        return 0;
    }
    return skl_fail(err, SKL_E_INVALID, "invalid time value: '%.100s'", text);
}
