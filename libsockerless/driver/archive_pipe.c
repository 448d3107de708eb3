/* The two ends of an archive as their users see them, whatever driver is behind. */
#include "driver/driver.h"
#include "driver/workload_internal.h"

void skl_source_consumed(struct skl_source *s, size_t n)
{
    s->consumed(s, n);
}

void skl_source_cancel(struct skl_source *s)
{
    s->cancel(s);
}

size_t skl_sink_credit(const struct skl_sink *s)
{
    return s->credit(s);
}

void skl_sink_data(struct skl_sink *s, struct skl_str data)
{
    s->data(s, data);
}

void skl_sink_end(struct skl_sink *s)
{
    s->end(s);
}

void skl_sink_cancel(struct skl_sink *s)
{
    s->cancel(s);
}
