/* event_filter - which events a listener gets, and how they look.
 *
 * Thread  loop thread
 */
#ifndef SKL_DOCKER_EVENT_FILTER_H
#define SKL_DOCKER_EVENT_FILTER_H

#include "base/buf.h"
#include "docker/api/filters.h"
#include "store/event.h"

int skl_event_filter_parse(const char *text, struct skl_filters *ret, struct skl_error *err);
bool skl_event_filter_takes(const struct skl_filters *f, const struct skl_event *e);
/* One JSON object and a newline. */
void skl_event_render(const struct skl_event *e, struct skl_buf *b);

/* "1700000000", "1700000000.5", RFC 3339, or a Go duration back from now ("10m"). */
int skl_event_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns, struct skl_error *err);

#endif
