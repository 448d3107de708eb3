/* Filters of lists and events, and the times that events are asked for. */
#include <stdint.h>

#include "base/alloc.h"
#include "docker/system/event_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SKL_AUTO_STR char *text = skl_strndup((const char *)data, n);
    char type[] = "container", action[] = "exec_start: sh", id[] = "0123456789ab";
    char name[] = "name", web[] = "web", label[] = "a", value[] = "b";
    char *attributes[] = {label, value, name, web, NULL};
    const struct skl_event e = {type, action, id, NULL, attributes, 1};
    struct skl_labels labels = {attributes};
    struct skl_filters f;
    int64_t ns;

    (void)skl_event_time_parse(text, 0, &ns, NULL);
    if (skl_filters_parse(text, &f, NULL) < 0)
        return 0;
    (void)skl_event_filter_takes(&f, &e);
    (void)skl_filters_name(&f, "name", "web-1");
    (void)skl_filters_labels(&f, "label", &labels);
    (void)skl_filters_prefix(&f, "id", id);
    skl_filters_fini(&f);
    return 0;
}
