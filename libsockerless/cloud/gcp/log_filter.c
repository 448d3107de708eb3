/* Filters of Cloud Logging. Every value stands in quotes; in them only the quote and the backslash are special. */
#include "base/clock.h"
#include "base/limits.h"
#include "cloud/gcp/logging_internal.h"

void skl_log_filter_quote(struct skl_buf *b, struct skl_str s)
{
    skl_buf_addc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' || s.p[i] == '"')
            skl_buf_addc(b, '\\');
        skl_buf_addc(b, s.p[i]);
    }
    skl_buf_addc(b, '"');
}

static void add_log(struct skl_buf *b, const char *project, const char *log)
{
    SKL_AUTO_BUF struct skl_buf name = {0};

    skl_buf_init(&name, SKL_KIB);
    skl_buf_addf(&name, "projects/%s/logs/run.googleapis.com%%2F%s", project, log);
    skl_log_filter_quote(b, skl_buf_str(&name));
}

static void add_time(struct skl_buf *b, const char *operator, int64_t wall_ns)
{
    char fixed[SKL_TIME_LEN];

    skl_buf_addf(b, " AND timestamp%s", operator);
    skl_log_filter_quote(b, skl_str(skl_time_format_fixed(wall_ns, fixed)));
}

char *skl_log_filter_text(const struct skl_log_filter *f)
{
    struct skl_buf b;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_buf_adds(&b, "resource.type=\"cloud_run_revision\" AND resource.labels.location=");
    skl_log_filter_quote(&b, skl_str(f->region));
    skl_buf_adds(&b, " AND resource.labels.service_name=(");
    for (size_t i = 0; i < f->n_services; i++) {
        if (i > 0)
            skl_buf_adds(&b, " OR ");
        skl_log_filter_quote(&b, skl_str(f->services[i]));
    }
    skl_buf_adds(&b, ") AND logName=(");
    if (f->system) {
        add_log(&b, f->project, "varlog%2Fsystem");
    } else {
        add_log(&b, f->project, "stdout");
        skl_buf_adds(&b, " OR ");
        add_log(&b, f->project, "stderr");
    }
    skl_buf_addc(&b, ')');
    if (f->since_ns > 0)
        add_time(&b, ">=", f->since_ns);
    if (f->until_ns > 0)
        add_time(&b, "<", f->until_ns);
    return skl_buf_detach(&b);
}
