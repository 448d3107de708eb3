#include "docker/api/go_value.h"

#include "base/str.h"

bool skl_go_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (unsigned i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        if (skl_streq(text, yes[i]) || skl_streq(text, no[i])) {
            *ret = skl_streq(text, yes[i]);
            return true;
        }
    }
    return false;
}

bool skl_go_int(const char *text, int64_t *ret)
{
    struct skl_str s = skl_str(text);

    if (s.n > 1 && s.p[0] == '+' && s.p[1] != '-')
        s = skl_str_skip(s, 1);
    return s.n > 0 && skl_str_i64(s, ret);
}
