#include "build/duration.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static const struct {
    const char *name;
    double ns;
} units[] = {
    {"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
    {"ms", 1e6}, {"s", 1e9},  {"m", 6e10},        {"h", 3.6e12},
};

static int unit_at(const char *s, size_t n, double *ret)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(units); i++)
        if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0) {
            *ret = units[i].ns;
            return 0;
        }
    return -1;
}

int skl_duration_parse(const char *text, int64_t *ret_ns, struct skl_error *err)
{
    const char *s = text;
    bool negative = *s == '-';
    double sum = 0;

    s += *s == '-' || *s == '+';
    if (strcmp(s, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (!*s)
        return skl_fail(err, SKL_E_INVALID, "time: invalid duration \"%.100s\"", text);
    while (*s) {
        size_t digits = strspn(s, "0123456789."), n;
        char number[32];
        double ns;

        if (digits == 0 || digits >= sizeof(number) || strcmp(s, ".") == 0)
            return skl_fail(err, SKL_E_INVALID, "time: invalid duration \"%.100s\"", text);
        snprintf(number, sizeof(number), "%.*s", (int)digits, s);
        s += digits;
        n = strcspn(s, "0123456789.");
        if (n == 0)
            return skl_fail(err, SKL_E_INVALID, "time: missing unit in duration \"%.100s\"", text);
        if (unit_at(s, n, &ns) < 0)
            return skl_fail(err, SKL_E_INVALID,
                            "time: unknown unit \"%.*s\" in duration \"%.100s\"",
                            (int)(n < 40 ? n : 40), s, text);
        sum += strtod(number, NULL) * ns;
        s += n;
    }
    if (sum > 9.2e18)
        return skl_fail(err, SKL_E_INVALID, "time: invalid duration \"%.100s\"", text);
    *ret_ns = negative ? -(int64_t)sum : (int64_t)sum;
    return 0;
}
