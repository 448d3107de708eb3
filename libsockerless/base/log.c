/* One write() per line, so that lines of several threads and processes never mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/redact.h"

static atomic_int min_level = SKL_LOG_INFO;
static atomic_bool as_json;
static atomic_int out_fd = STDERR_FILENO;

static const char *const names[] = {"debug", "info", "warn", "error"};

void skl_log_setup(enum skl_log_level min, bool json, int fd)
{
    atomic_store(&min_level, (int)min);
    atomic_store(&as_json, json);
    atomic_store(&out_fd, fd);
}

bool skl_log_enabled(enum skl_log_level level)
{
    return (int)level >= atomic_load_explicit(&min_level, memory_order_relaxed);
}

bool skl_log_level_parse(const char *name, enum skl_log_level *ret)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++)
        if (skl_streq(name, names[i])) {
            *ret = (enum skl_log_level)i;
            return true;
        }
    return false;
}

/* Each part of a line by itself, before it is quoted. */
static const char *clean(struct skl_buf *b, const char *text)
{
    size_t start, end;

    if (!text || !skl_redact_find(skl_str(text), 0, &start, &end))
        return text;
    skl_buf_reset(b);
    skl_redact_add(b, skl_str(text));
    return b->p;
}

/* A value that holds spaces, quotes, '=' or control characters is quoted as JSON. */
static void add_value(struct skl_buf *b, const char *value)
{
    const char *p = value;

    for (; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 0x7f)
            break;
    if (*p || !*value)
        skl_json_quote(b, skl_str(value), false);
    else
        skl_buf_adds(b, value);
}

static void add_text(struct skl_buf *b, enum skl_log_level level, const char *topic,
                     const char *msg, va_list ap)
{
    SKL_AUTO_BUF struct skl_buf copy = {0};
    char time[SKL_TIME_LEN];
    const char *key;

    skl_buf_init(&copy, 64 * SKL_KIB);
    skl_buf_addf(b, "%s %-5s %s ", skl_time_format_fixed(skl_wall_ns(), time), names[level], topic);
    for (const char *p = clean(&copy, msg); *p; p++)
        skl_buf_addc(b, (unsigned char)*p < ' ' ? ' ' : *p);
    while ((key = va_arg(ap, const char *))) {
        const char *value = clean(&copy, va_arg(ap, const char *));

        skl_buf_addf(b, " %s=", key);
        add_value(b, value ? value : "");
    }
}

static void add_json(struct skl_buf *b, enum skl_log_level level, const char *topic,
                     const char *msg, va_list ap)
{
    SKL_AUTO_BUF struct skl_buf copy = {0};
    char time[SKL_TIME_LEN];
    struct skl_json j;
    const char *key;

    skl_buf_init(&copy, 64 * SKL_KIB);
    skl_json_init(&j, b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "ts", skl_time_format_fixed(skl_wall_ns(), time));
    skl_json_str(&j, "level", names[level]);
    skl_json_str(&j, "topic", topic);
    skl_json_str(&j, "msg", clean(&copy, msg));
    while ((key = va_arg(ap, const char *)))
        skl_json_str(&j, key, clean(&copy, va_arg(ap, const char *)));
    skl_json_end_object(&j);
}

void skl_log(enum skl_log_level level, const char *topic, const char *msg, ...)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    va_list ap;

    if (!skl_log_enabled(level))
        return;
    skl_buf_init(&b, 64 * SKL_KIB);
    va_start(ap, msg);
    if (atomic_load(&as_json))
        add_json(&b, level, topic, msg, ap);
    else
        add_text(&b, level, topic, msg, ap);
    va_end(ap);
    if (b.failed) { /* too long: say at least what it was about */
        char head[256];

        snprintf(head, sizeof(head), "%s", msg);
        skl_log(level, topic, head, "cut", "true", NULL);
        return;
    }
    skl_buf_addc(&b, '\n');
    (void)!write(atomic_load(&out_fd), b.p, b.n); /* a log that cannot be written has no reader */
}
