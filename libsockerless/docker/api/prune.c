#include "docker/api/prune.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "docker/system/event_filter.h"

#define MAX_KEYS 8

static int take_until(struct skl_prune *p, struct skl_error *err)
{
    char *const *values = skl_filters_values(&p->filters, "until");

    p->until_ns = INT64_MAX;
    if (!values || !values[0])
        return 0;
    if (values[1])
        return skl_fail(err, SKL_E_INVALID, "more than one until filter specified");
    return skl_event_time_parse(values[0], skl_wall_ns(), &p->until_ns, err);
}

int skl_prune_init(struct skl_prune *p, const struct skl_request *r, const char *const *more,
                   struct skl_error *err)
{
    const char *keys[MAX_KEYS] = {"until", "label", "label!"};
    SKL_AUTO_STR char *text = skl_request_query(r, "filters");
    size_t n = 3;
    int rc;

    for (; *more; more++) {
        SKL_ASSERT(n < MAX_KEYS - 1);
        keys[n++] = *more;
    }
    *p = (struct skl_prune){0};
    rc = skl_filters_parse(text, &p->filters, err);
    if (rc == 0)
        rc = skl_filters_accept(&p->filters, keys, err);
    return rc < 0 ? rc : take_until(p, err);
}

void skl_prune_fini(struct skl_prune *p)
{
    skl_filters_fini(&p->filters);
}

/* One that is there is enough to be kept. */
static bool has_refused_label(const struct skl_prune *p, const struct skl_labels *labels)
{
    for (char *const *v = skl_filters_values(&p->filters, "label!"); v && *v; v++) {
        char *one[] = {*v, NULL};
        struct skl_filter item = {.key = (char[]){"label"}, .values = one};
        const struct skl_filters single = {.items = &item, .n = 1};

        if (skl_filters_labels(&single, "label", labels))
            return true;
    }
    return false;
}

bool skl_prune_takes(const struct skl_prune *p, const struct skl_labels *labels, int64_t created_ns)
{
    return created_ns < p->until_ns && skl_filters_labels(&p->filters, "label", labels) &&
           !has_refused_label(p, labels);
}

void skl_prune_event(struct skl_engine *e, const char *type, int64_t reclaimed_bytes)
{
    char text[24];
    char *attributes[] = {(char[]){"reclaimed"}, text, NULL};

    snprintf(text, sizeof(text), "%" PRId64, reclaimed_bytes);
    skl_journal_emit(skl_store_journal(e->store), type, "prune", "", NULL, attributes);
}
