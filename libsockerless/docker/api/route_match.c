#include "docker/api/routes.h"

bool skl_route_match(const struct skl_route *route, struct skl_str path, struct skl_str *param)
{
    const char *p = route->pattern;
    size_t i = 0, tail_n;

    while (*p && *p != '{') {
        if (i == path.n || path.p[i] != *p)
            return false;
        i++;
        p++;
    }
    if (!*p) {
        *param = (struct skl_str){NULL, 0};
        return i == path.n;
    }
    p = strchr(p, '}') + 1;
    tail_n = strlen(p);
    if (path.n <= i + tail_n || memcmp(path.p + path.n - tail_n, p, tail_n) != 0)
        return false;
    *param = skl_str_n(path.p + i, path.n - i - tail_n);
    return true;
}
