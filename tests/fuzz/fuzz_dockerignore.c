/* The first line is a path, the rest the ignore file; the path is a pattern too. */
#include "base/alloc.h"
#include "build/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skl_str rules, line = skl_str_cut(skl_str_n((const char *)data, size), '\n', &rules);
    SKL_AUTO_STR char *path = skl_str_dup(line);
    SKL_AUTO_STR char *clean = skl_pattern_clean(line);
    SKL_AUTO(ignore) g = NULL;

    (void)skl_pattern_match(path, clean);
    if (rules.p && skl_ignore_parse(rules, &g, NULL) == 0)
        (void)skl_ignore_excludes(g, path);
    return 0;
}
