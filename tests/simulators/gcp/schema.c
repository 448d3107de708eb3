/* Request bodies against the fields of Google's discovery documents (schema.txt): an unknown name or a value of another
 * type is refused with the path to it, as the cloud's JSON front end does.
 *
 * What passes is brought into one form, since some clients write every field: null and a field's zero value are as
 * good as absent in proto3 and are taken out; numbers of enumerations become names. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_DEPTH 40

extern const char gcp_schema_text[];

struct checking {
    const char *api;
    struct skl_buf path;
    struct sim_answer *a;
    int depth;
};

static bool check_value(struct checking *k, struct skl_str type, cJSON *value);

/* The line of a message without its name; p NULL: there is none. */
static struct skl_str message_fields(const char *api, struct skl_str name)
{
    struct skl_str rest = skl_str(gcp_schema_text);
    size_t n = strlen(api);

    while (rest.p) {
        struct skl_str fields, head, line = skl_str_cut(rest, '\n', &rest);

        head = skl_str_cut(line, ' ', &fields);
        if (head.n == n + 1 + name.n && strncmp(head.p, api, n) == 0 && head.p[n] == '.' &&
            strncmp(head.p + n + 1, name.p, name.n) == 0)
            return fields.p ? fields : SKL_STR("");
    }
    return (struct skl_str){0};
}

static bool refuse_value(struct checking *k, const char *type, const cJSON *value)
{
    char *text SKL_AUTO_STR = skl_json_text(value);

    gcp_error(k->a, GCP_INVALID_ARGUMENT,
              "Invalid JSON payload received. Invalid value at '%s' (%s), %.200s", k->path.p, type,
              text);
    return false;
}

static bool find_field(struct skl_str fields, const char *name, struct skl_str *type)
{
    while (fields.p) {
        struct skl_str field = skl_str_cut(fields, ' ', &fields);

        if (skl_str_eqz(skl_str_cut(field, ':', type), name))
            return true;
    }
    return false;
}

/* The name of an enumeration's number; n 0: it has none. */
static struct skl_str enum_name(struct skl_str names, int64_t number)
{
    for (int64_t i = 0; names.p; i++) {
        struct skl_str text, name = skl_str_cut(skl_str_cut(names, '|', &names), '/', &text);
        int64_t own = i;

        if (text.p)
            (void)skl_str_i64(text, &own); /* schema.txt is ours */
        if (own == number)
            return name;
    }
    return SKL_STR("");
}

/* The value as it is kept; NULL: it is the zero value of a plain field. */
static cJSON *normal_form(struct skl_str type, cJSON *parent, cJSON *value)
{
    bool is_enum = skl_str_starts(type, "enum=");

    if (cJSON_IsNull(value) || cJSON_IsFalse(value) ||
        (cJSON_IsString(value) && !*value->valuestring) ||
        (cJSON_IsNumber(value) && !(value->valuedouble < 0) && !(value->valuedouble > 0)))
        return NULL;
    if (is_enum && cJSON_IsNumber(value)) {
        char *name SKL_AUTO_STR = skl_str_dup(
            enum_name(skl_str_skip(type, strlen("enum=")), (int64_t)value->valuedouble));
        cJSON *text = cJSON_CreateString(name);

        cJSON_ReplaceItemInObjectCaseSensitive(parent, value->string, text);
        return text;
    }
    return value;
}

static bool is_plain(struct skl_str type)
{
    return !strchr("@[{", *type.p) && !skl_str_eqz(type, "any");
}

static bool check_message(struct checking *k, struct skl_str fields, cJSON *object)
{
    size_t n = k->path.n;
    cJSON *item, *next;

    if (!cJSON_IsObject(object))
        return refuse_value(k, "TYPE_MESSAGE", object);
    for (item = object->child; item; item = next) {
        struct skl_str type;

        next = item->next;
        if (!find_field(fields, item->string, &type)) {
            gcp_error(k->a, GCP_INVALID_ARGUMENT,
                      "Invalid JSON payload received. Unknown name \"%.100s\" at '%s': Cannot find "
                      "field.",
                      item->string, k->path.p);
            return false;
        }
        skl_buf_addf(&k->path, "%s%s", n ? "." : "", item->string);
        if (!check_value(k, type, item))
            return false;
        k->path.n = n;
        k->path.p[n] = '\0';
        if (cJSON_IsNull(item) || (is_plain(type) && !normal_form(type, object, item)))
            cJSON_Delete(cJSON_DetachItemViaPointer(object, item));
    }
    return true;
}

static bool check_list(struct checking *k, struct skl_str type, cJSON *list)
{
    size_t n = k->path.n;
    cJSON *item;
    int i = 0;

    if (!cJSON_IsArray(list))
        return refuse_value(k, "repeated", list);
    cJSON_ArrayForEach(item, list)
    {
        skl_buf_addf(&k->path, "[%d]", i++);
        if (!check_value(k, type, item))
            return false;
        k->path.n = n;
        k->path.p[n] = '\0';
    }
    return true;
}

static bool check_map(struct checking *k, struct skl_str type, cJSON *map)
{
    size_t n = k->path.n;
    cJSON *item;

    if (!cJSON_IsObject(map))
        return refuse_value(k, "map", map);
    cJSON_ArrayForEach(item, map)
    {
        skl_buf_addf(&k->path, "[%.60s]", item->string);
        if (!check_value(k, type, item))
            return false;
        k->path.n = n;
        k->path.p[n] = '\0';
    }
    return true;
}

static bool is_number(const cJSON *value, bool whole)
{
    struct skl_str s = skl_str(cJSON_GetStringValue(value));
    int64_t n;

    if (cJSON_IsNumber(value))
        return !whole || !(value->valuedouble > (double)(int64_t)value->valuedouble);
    return cJSON_IsString(value) && (skl_str_i64(s, &n) || !whole);
}

static bool is_duration(const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);

    return text && gcp_duration_ms(text, -1) >= 0;
}

static bool is_time(const cJSON *value)
{
    int64_t ns;

    return cJSON_IsString(value) && skl_time_parse(skl_str(value->valuestring), &ns);
}

static bool is_enum(struct skl_str names, const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);

    if (cJSON_IsNumber(value))
        return enum_name(names, (int64_t)value->valuedouble).n > 0;
    while (text && names.p) {
        struct skl_str number;

        if (skl_str_eqz(skl_str_cut(skl_str_cut(names, '|', &names), '/', &number), text))
            return true;
    }
    return false;
}

static bool check_plain(struct checking *k, struct skl_str type, const cJSON *value)
{
    if (skl_str_eqz(type, "any"))
        return true;
    if (skl_str_eqz(type, "string") || skl_str_eqz(type, "bytes"))
        return cJSON_IsString(value) || refuse_value(k, "TYPE_STRING", value);
    if (skl_str_eqz(type, "bool"))
        return cJSON_IsBool(value) || refuse_value(k, "TYPE_BOOL", value);
    if (skl_str_eqz(type, "int"))
        return is_number(value, true) || refuse_value(k, "TYPE_INT32", value);
    if (skl_str_eqz(type, "int64"))
        return is_number(value, true) || refuse_value(k, "TYPE_INT64", value);
    if (skl_str_eqz(type, "number"))
        return is_number(value, false) || refuse_value(k, "TYPE_DOUBLE", value);
    if (skl_str_eqz(type, "duration"))
        return is_duration(value) ||
               refuse_value(k, "type.googleapis.com/google.protobuf.Duration", value);
    if (skl_str_eqz(type, "time"))
        return is_time(value) ||
               refuse_value(k, "type.googleapis.com/google.protobuf.Timestamp", value);
    return is_enum(skl_str_skip(type, strlen("enum=")), value) ||
           refuse_value(k, "TYPE_ENUM", value);
}

static bool check_value(struct checking *k, struct skl_str type, cJSON *value)
{
    bool ok;

    if (cJSON_IsNull(value))
        return true; /* as good as absent */
    if (k->depth++ > MAX_DEPTH)
        return refuse_value(k, "too deep", NULL);
    if (*type.p == '@')
        ok = check_message(k, message_fields(k->api, skl_str_skip(type, 1)), value);
    else if (*type.p == '[')
        ok = check_list(k, skl_str_n(type.p + 1, type.n - 2), value);
    else if (*type.p == '{')
        ok = check_map(k, skl_str_n(type.p + 1, type.n - 2), value);
    else
        ok = check_plain(k, type, value);
    k->depth--;
    return ok;
}

/* Requests called "...Request" are the body themselves; a resource is a field of the request, named in lower case. */
static void begin_path(struct skl_buf *path, const char *schema)
{
    if (!skl_str_ends(skl_str(schema), "Request"))
        skl_buf_addf(path, "%c%s", tolower((unsigned char)schema[0]), schema + 1);
}

cJSON *gcp_request(struct sim *s, const struct sim_request *r, const char *api, const char *schema,
                   struct sim_answer *a)
{
    struct checking k = {.api = api, .a = a};
    cJSON *body = gcp_body(r, a);
    struct skl_str fields = message_fields(api, skl_str(schema));
    bool ok;

    if (!body)
        return NULL;
    SKL_ASSERT(fields.p); /* schema.txt has every message that is asked for */
    skl_buf_init(&k.path, 64 * SKL_KIB);
    begin_path(&k.path, schema);
    ok = check_message(&k, fields, body);
    skl_buf_fini(&k.path);
    if (ok)
        return body;
    cJSON_Delete(body);
    return NULL;
}
