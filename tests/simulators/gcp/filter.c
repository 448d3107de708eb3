/* A recursive descent parser to a tree of comparisons, and its evaluation on an entry as JSON. A list of values becomes
 * a tree of comparisons of the same field, so evaluation knows single values only. */
#include "filter.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"

#define MAX_PARTS 12
#define MAX_DEPTH 50

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARE, NODE_TEXT };
enum operator{ OP_EQ, OP_NE, OP_LE, OP_LT, OP_GE, OP_GT, OP_RE, OP_NOT_RE, OP_HAS };

struct gcp_filter {
    enum node_kind kind;
    struct gcp_filter *left, *right;
    char *parts[MAX_PARTS]; /* of the field */
    size_t n_parts;
    enum operator op;
    char *value;
    bool is_quoted;
    regex_t regex;
    bool has_regex;
};

struct parser {
    const char *p;
    struct skl_error *err;
    int depth;
};

static struct gcp_filter *parse_and(struct parser *k);

void gcp_filter_free(struct gcp_filter *f)
{
    if (!f)
        return;
    gcp_filter_free(f->left);
    gcp_filter_free(f->right);
    for (size_t i = 0; i < f->n_parts; i++)
        free(f->parts[i]);
    free(f->value);
    if (f->has_regex)
        regfree(&f->regex);
    free(f);
}

static void *refuse(struct parser *k, const char *what)
{
    (void)skl_fail(k->err, SKL_E_INVALID, "Unparseable filter: %s at '%.40s'", what, k->p);
    return NULL;
}

/* -- words */

static void skip_space(struct parser *k)
{
    for (;;) {
        while (isspace((unsigned char)*k->p))
            k->p++;
        if (k->p[0] != '-' || k->p[1] != '-')
            return;
        while (*k->p && *k->p != '\n') /* a comment */
            k->p++;
    }
}

static bool is_word(int c)
{
    return isalnum(c) || (c && strchr("_-+./%@*?$#~&;^{}[]'|", c));
}

static bool take_keyword(struct parser *k, const char *word)
{
    size_t n = strlen(word);

    skip_space(k);
    if (strncmp(k->p, word, n) != 0 || is_word((unsigned char)k->p[n]))
        return false;
    k->p += n;
    return true;
}

static char *take_quoted(struct parser *k)
{
    struct skl_buf b;

    skl_buf_init(&b, 64 * SKL_KIB);
    for (k->p++; *k->p && *k->p != '"'; k->p++) {
        if (*k->p == '\\') {
            k->p++;
            if (*k->p != '\\' && *k->p != '"') {
                skl_buf_fini(&b);
                return refuse(k, "an escape other than \\\\ and \\\"");
            }
        }
        skl_buf_addc(&b, *k->p);
    }
    if (*k->p != '"') {
        skl_buf_fini(&b);
        return refuse(k, "a string without an end");
    }
    k->p++;
    return skl_buf_detach(&b);
}

static char *take_word(struct parser *k, bool stop_at_dot)
{
    const char *begin = k->p;

    while (is_word((unsigned char)*k->p) && !(stop_at_dot && *k->p == '.') &&
           !(k->p[0] == '~' && k->p > begin && k->p[-1] == '='))
        k->p++;
    if (k->p == begin)
        return refuse(k, "a value or a field is missing");
    return skl_strndup(begin, (size_t)(k->p - begin));
}

static bool take_operator(struct parser *k, enum operator* op)
{
    static const struct {
        const char *text;
        enum operator op;
    } all[] = {{"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"=~", OP_RE}, {"!~", OP_NOT_RE},
               {"=", OP_EQ},  {"<", OP_LT},  {">", OP_GT},  {":", OP_HAS}};

    skip_space(k);
    for (size_t i = 0; i < SKL_ARRAY_LEN(all); i++)
        if (strncmp(k->p, all[i].text, strlen(all[i].text)) == 0) {
            k->p += strlen(all[i].text);
            *op = all[i].op;
            return true;
        }
    return false;
}

/* -- the tree */

static struct gcp_filter *join(enum node_kind kind, struct gcp_filter *own_left,
                               struct gcp_filter *own_right)
{
    struct gcp_filter *f;

    if (!own_left || (!own_right && kind != NODE_NOT)) {
        gcp_filter_free(own_left);
        gcp_filter_free(own_right);
        return NULL;
    }
    f = skl_new0(struct gcp_filter);
    f->kind = kind;
    f->left = own_left;
    f->right = own_right;
    return f;
}

static const char *const top_fields[] = {
    "timestamp",   "receiveTimestamp", "severity",       "insertId", "logName", "resource",
    "labels",      "textPayload",      "jsonPayload",    "trace",    "spanId",  "protoPayload",
    "httpRequest", "operation",        "sourceLocation", "split",    NULL};

static bool is_time_field(const struct gcp_filter *f)
{
    return f->n_parts == 1 &&
           (strcmp(f->parts[0], "timestamp") == 0 || strcmp(f->parts[0], "receiveTimestamp") == 0);
}

static struct gcp_filter *check_comparison(struct parser *k, struct gcp_filter *f)
{
    bool known = false;
    int64_t ns;

    for (const char *const *t = top_fields; *t; t++)
        known |= strcmp(*t, f->parts[0]) == 0;
    if (!known) {
        refuse(k, "an unknown field stands");
    } else if (is_time_field(f) && !skl_time_parse(skl_str(f->value), &ns)) {
        refuse(k, "a timestamp that is not RFC 3339 stands");
    } else if (f->op == OP_RE || f->op == OP_NOT_RE) {
        f->has_regex = regcomp(&f->regex, f->value, REG_EXTENDED | REG_NOSUB) == 0;
        if (f->has_regex)
            return f;
        refuse(k, "a regular expression that cannot be compiled stands");
    } else {
        return f;
    }
    gcp_filter_free(f);
    return NULL;
}

static struct gcp_filter *comparison(struct parser *k, const struct gcp_filter *field,
                                     char *own_value, bool is_quoted)
{
    struct gcp_filter *f;

    if (!own_value)
        return NULL;
    f = skl_new0(struct gcp_filter);
    f->kind = NODE_COMPARE;
    f->op = field->op;
    f->value = own_value;
    f->is_quoted = is_quoted;
    for (; f->n_parts < field->n_parts; f->n_parts++)
        f->parts[f->n_parts] = skl_strdup(field->parts[f->n_parts]);
    return check_comparison(k, f);
}

/* One value or a parenthesis of values with AND, OR and NOT. */
static struct gcp_filter *parse_values(struct parser *k, const struct gcp_filter *field)
{
    struct gcp_filter *f;

    skip_space(k);
    if (*k->p == '"')
        return comparison(k, field, take_quoted(k), true);
    if (*k->p != '(')
        return comparison(k, field, take_word(k, false), false);
    if (++k->depth > MAX_DEPTH)
        return refuse(k, "too many parentheses stand");
    k->p++;
    f = parse_values(k, field);
    while (f) {
        bool is_or = take_keyword(k, "OR");
        bool negate;

        if (!is_or && !take_keyword(k, "AND"))
            break;
        negate = take_keyword(k, "NOT");
        {
            struct gcp_filter *next = parse_values(k, field);

            if (negate && next)
                next = join(NODE_NOT, next, NULL);
            f = join(is_or ? NODE_OR : NODE_AND, f, next);
        }
    }
    skip_space(k);
    if (f && *k->p != ')') {
        gcp_filter_free(f);
        return refuse(k, "a parenthesis is not closed");
    }
    k->p += f != NULL;
    k->depth--;
    return f;
}

static bool is_keyword(const char *word)
{
    return strcmp(word, "AND") == 0 || strcmp(word, "OR") == 0 || strcmp(word, "NOT") == 0;
}

static struct gcp_filter *parse_comparison(struct parser *k)
{
    struct gcp_filter field = {.kind = NODE_TEXT};
    struct gcp_filter *f = NULL;
    bool quoted = *k->p == '"';

    for (;;) {
        char *part;

        if (field.n_parts == MAX_PARTS) {
            refuse(k, "a field too deep stands");
            break;
        }
        part = *k->p == '"' ? take_quoted(k) : take_word(k, true);
        if (!part)
            break;
        field.parts[field.n_parts++] = part;
        if (*k->p == '.') {
            k->p++;
            continue;
        }
        if (take_operator(k, &field.op)) {
            f = parse_values(k, &field);
        } else if (!quoted && is_keyword(field.parts[0])) {
            refuse(k, "a word of the language is in the place of a field");
        } else if (field.n_parts == 1) { /* a text anywhere */
            f = skl_new0(struct gcp_filter);
            f->kind = NODE_TEXT;
            f->value = skl_strdup(field.parts[0]);
            f->is_quoted = quoted;
        } else {
            refuse(k, "an operator is missing");
        }
        break;
    }
    for (size_t i = 0; i < field.n_parts; i++)
        free(field.parts[i]);
    return f;
}

static struct gcp_filter *parse_not(struct parser *k)
{
    struct gcp_filter *f;

    skip_space(k);
    if (take_keyword(k, "NOT"))
        return join(NODE_NOT, parse_not(k), NULL);
    if (*k->p == '-') {
        k->p++;
        return join(NODE_NOT, parse_not(k), NULL);
    }
    if (*k->p != '(')
        return parse_comparison(k);
    if (++k->depth > MAX_DEPTH)
        return refuse(k, "too many parentheses stand");
    k->p++;
    f = parse_and(k);
    skip_space(k);
    if (f && *k->p != ')') {
        gcp_filter_free(f);
        return refuse(k, "a parenthesis is not closed");
    }
    k->p += f != NULL;
    k->depth--;
    return f;
}

static struct gcp_filter *parse_or(struct parser *k)
{
    struct gcp_filter *f = parse_not(k);

    while (f && take_keyword(k, "OR"))
        f = join(NODE_OR, f, parse_not(k));
    return f;
}

static struct gcp_filter *parse_and(struct parser *k)
{
    struct gcp_filter *f = parse_or(k);

    while (f) {
        bool has_and = take_keyword(k, "AND");

        skip_space(k);
        if (!has_and && (*k->p == '\0' || *k->p == ')'))
            return f;
        f = join(NODE_AND, f, parse_or(k));
    }
    return NULL;
}

int gcp_filter_parse(const char *text, struct gcp_filter **ret, struct skl_error *err)
{
    struct parser k = {.p = text ? text : "", .err = err};

    *ret = NULL;
    skip_space(&k);
    if (!*k.p)
        return 0;
    *ret = parse_and(&k);
    if (!*ret)
        return -SKL_E_INVALID;
    if (!*k.p)
        return 0;
    gcp_filter_free(*ret);
    *ret = NULL;
    refuse(&k, "something is left");
    return -SKL_E_INVALID;
}

int64_t gcp_filter_since_ns(const struct gcp_filter *f)
{
    int64_t a, b;

    if (!f)
        return INT64_MIN;
    if (f->kind == NODE_AND) {
        a = gcp_filter_since_ns(f->left);
        b = gcp_filter_since_ns(f->right);
        return a > b ? a : b;
    }
    if (f->kind == NODE_COMPARE && strcmp(f->parts[0], "timestamp") == 0 &&
        (f->op == OP_GE || f->op == OP_GT || f->op == OP_EQ) &&
        skl_time_parse(skl_str(f->value), &a))
        return a;
    return INT64_MIN;
}

/* -- evaluation */

static bool contains(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool any_text(const cJSON *item, const char *part)
{
    const cJSON *child;

    if (cJSON_IsString(item))
        return contains(item->valuestring, part);
    cJSON_ArrayForEach(child, item)
    {
        if (any_text(child, part))
            return true;
    }
    return false;
}

static int severity_rank(const char *name)
{
    static const char *const names[] = {"DEFAULT", "DEBUG",    "INFO",  "NOTICE",   "WARNING",
                                        "ERROR",   "CRITICAL", "ALERT", "EMERGENCY"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
        if (strcasecmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static int sign(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* How the entry's value compares with the filter's: by time, rank or number where the field is one. */
static int compare(const struct gcp_filter *f, const cJSON *item)
{
    int64_t a = 0, b = 0;

    if (is_time_field(f) && skl_time_parse(skl_str(item->valuestring), &a) &&
        skl_time_parse(skl_str(f->value), &b))
        return sign(a, b);
    if (cJSON_IsNumber(item)) {
        double x = item->valuedouble, y = strtod(f->value, NULL);

        return x < y ? -1 : x > y;
    }
    if (cJSON_IsBool(item))
        return strcasecmp(cJSON_IsTrue(item) ? "true" : "false", f->value);
    if (strcmp(f->parts[0], "severity") == 0)
        return severity_rank(item->valuestring) - severity_rank(f->value);
    return strcasecmp(item->valuestring, f->value);
}

static bool has(const struct gcp_filter *f, const cJSON *item)
{
    const cJSON *child;

    if (strcmp(f->value, "*") == 0 && !f->is_quoted)
        return true;
    if (cJSON_IsObject(item))
        return cJSON_GetObjectItemCaseSensitive(item, f->value) != NULL;
    if (cJSON_IsString(item))
        return contains(item->valuestring, f->value);
    cJSON_ArrayForEach(child, item)
    {
        if (has(f, child))
            return true;
    }
    return cJSON_IsNumber(item) && compare(f, item) == 0;
}

static bool compares(const struct gcp_filter *f, const cJSON *entry)
{
    const cJSON *item = entry;
    bool is_plain;

    for (size_t i = 0; item && i < f->n_parts; i++)
        item = cJSON_GetObjectItemCaseSensitive(item, f->parts[i]);
    if (!item && strcmp(f->parts[0], "severity") == 0) {
        int rank = -severity_rank(f->value); /* without one it is DEFAULT */

        return f->op == OP_EQ ? rank == 0 : f->op == OP_NE ? rank != 0 : f->op == OP_LE;
    }
    if (!item)
        return false; /* also for != */
    if (f->op == OP_HAS)
        return has(f, item);
    is_plain = cJSON_IsString(item) || cJSON_IsNumber(item) || cJSON_IsBool(item);
    if (!is_plain)
        return false;
    switch (f->op) {
    case OP_EQ:
        return compare(f, item) == 0;
    case OP_NE:
        return compare(f, item) != 0;
    case OP_LE:
        return compare(f, item) <= 0;
    case OP_LT:
        return compare(f, item) < 0;
    case OP_GE:
        return compare(f, item) >= 0;
    case OP_GT:
        return compare(f, item) > 0;
    case OP_RE:
    case OP_NOT_RE:
        return cJSON_IsString(item) &&
               (regexec(&f->regex, item->valuestring, 0, NULL, 0) == 0) == (f->op == OP_RE);
    case OP_HAS:
        break;
    }
    return false;
}

bool gcp_filter_matches(const struct gcp_filter *f, const cJSON *entry)
{
    if (!f)
        return true;
    switch (f->kind) {
    case NODE_AND:
        return gcp_filter_matches(f->left, entry) && gcp_filter_matches(f->right, entry);
    case NODE_OR:
        return gcp_filter_matches(f->left, entry) || gcp_filter_matches(f->right, entry);
    case NODE_NOT:
        return !gcp_filter_matches(f->left, entry);
    case NODE_COMPARE:
        return compares(f, entry);
    case NODE_TEXT:
        return any_text(entry, f->value);
    }
    return false;
}
