#include "base/json.h"

#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"

void skl_json_init(struct skl_json *j, struct skl_buf *b)
{
    *j = (struct skl_json){.b = b};
}

/* Length of the UTF-8 sequence at p, 0 if it is not a valid one. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xc2 ? 0
                 : p[0] < 0xe0 ? 2
                 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4
                               : 0;

    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static void add_escaped(struct skl_buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        skl_buf_adds(b, "\\\"");
        break;
    case '\\':
        skl_buf_adds(b, "\\\\");
        break;
    case '\n':
        skl_buf_adds(b, "\\n");
        break;
    case '\r':
        skl_buf_adds(b, "\\r");
        break;
    case '\t':
        skl_buf_adds(b, "\\t");
        break;
    default:
        skl_buf_addf(b, "\\u%04x", c);
    }
}

static bool is_plain(unsigned char c, bool escape_html)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7f &&
           !(escape_html && (c == '<' || c == '>' || c == '&'));
}

void skl_json_quote(struct skl_buf *b, struct skl_str s, bool escape_html)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;

    skl_buf_addc(b, '"');
    while (i < s.n) {
        size_t from = i, len;

        while (i < s.n && is_plain(p[i], escape_html))
            i++;
        skl_buf_add(b, p + from, i - from);
        if (i == s.n)
            break;
        if (p[i] < 0x80) {
            add_escaped(b, p[i++]);
        } else if ((len = utf8_length(p + i, s.n - i)) > 0) {
            skl_buf_add(b, p + i, len);
            i += len;
        } else {
            skl_buf_adds(b, "\xef\xbf\xbd");
            i++;
        }
    }
    skl_buf_addc(b, '"');
}

static void begin(struct skl_json *j, const char *key)
{
    if (j->need_comma)
        skl_buf_addc(j->b, ',');
    j->need_comma = true;
    if (key) {
        skl_json_quote(j->b, skl_str(key), j->escape_html);
        skl_buf_addc(j->b, ':');
    }
}

static void open_scope(struct skl_json *j, const char *key, char c)
{
    begin(j, key);
    skl_buf_addc(j->b, c);
    j->need_comma = false;
}

static void close_scope(struct skl_json *j, char c)
{
    skl_buf_addc(j->b, c);
    j->need_comma = true;
}

void skl_json_object(struct skl_json *j, const char *key)
{
    open_scope(j, key, '{');
}

void skl_json_end_object(struct skl_json *j)
{
    close_scope(j, '}');
}

void skl_json_array(struct skl_json *j, const char *key)
{
    open_scope(j, key, '[');
}

void skl_json_end_array(struct skl_json *j)
{
    close_scope(j, ']');
}

void skl_json_strn(struct skl_json *j, const char *key, struct skl_str value)
{
    begin(j, key);
    skl_json_quote(j->b, value, j->escape_html);
}

void skl_json_str(struct skl_json *j, const char *key, const char *value)
{
    skl_json_strn(j, key, skl_str(value));
}

void skl_json_strf(struct skl_json *j, const char *key, const char *fmt, ...)
{
    SKL_AUTO_BUF struct skl_buf text = {0};
    va_list ap;

    skl_buf_init(&text, j->b->max);
    va_start(ap, fmt);
    skl_buf_addv(&text, fmt, ap);
    va_end(ap);
    skl_json_strn(j, key, skl_buf_str(&text));
}

void skl_json_int(struct skl_json *j, const char *key, int64_t value)
{
    begin(j, key);
    skl_buf_addf(j->b, "%" PRId64, value);
}

void skl_json_num(struct skl_json *j, const char *key, double value)
{
    begin(j, key);
    if (isfinite(value))
        skl_buf_addf(j->b, "%.15g", value);
    else
        skl_buf_adds(j->b, "null");
}

void skl_json_bool(struct skl_json *j, const char *key, bool value)
{
    begin(j, key);
    skl_buf_adds(j->b, value ? "true" : "false");
}

void skl_json_null(struct skl_json *j, const char *key)
{
    begin(j, key);
    skl_buf_adds(j->b, "null");
}

void skl_json_time(struct skl_json *j, const char *key, int64_t wall_ns)
{
    char text[SKL_TIME_LEN];

    skl_json_str(j, key, skl_time_format(wall_ns, text));
}

void skl_json_raw(struct skl_json *j, const char *key, const char *json)
{
    begin(j, key);
    skl_buf_adds(j->b, skl_str_empty(json) ? "null" : json);
}

void skl_json_strv(struct skl_json *j, const char *key, char *const *v)
{
    if (!v) {
        skl_json_null(j, key);
        return;
    }
    skl_json_array(j, key);
    for (; *v; v++)
        skl_json_str(j, NULL, *v);
    skl_json_end_array(j);
}
