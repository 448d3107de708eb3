#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t skl_wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * SKL_NS_PER_S + t.tv_nsec;
}

int64_t skl_mono_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

int64_t skl_mono_of_wall(int64_t wall_ns)
{
    int64_t ago_ms = (skl_wall_ns() - wall_ns) / SKL_NS_PER_MS;

    return skl_mono_ms() - (ago_ms > 0 ? ago_ms : 0);
}

int64_t skl_mono_ms(void)
{
    return skl_mono_us() / 1000;
}

static size_t format(int64_t wall_ns, char out[SKL_TIME_LEN], bool with_fraction)
{
    int64_t ns = wall_ns % SKL_NS_PER_S;
    time_t s = (time_t)(wall_ns / SKL_NS_PER_S);
    struct tm tm;
    size_t n;

    if (ns < 0) {
        ns += SKL_NS_PER_S;
        s--;
    }
    gmtime_r(&s, &tm);
    n = strftime(out, SKL_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
    if (with_fraction)
        n += (size_t)snprintf(out + n, SKL_TIME_LEN - n, ".%09d", (int)ns);
    return n;
}

const char *skl_time_format_fixed(int64_t wall_ns, char out[SKL_TIME_LEN])
{
    size_t n = format(wall_ns, out, true);

    snprintf(out + n, SKL_TIME_LEN - n, "Z");
    return out;
}

const char *skl_time_format(int64_t wall_ns, char out[SKL_TIME_LEN])
{
    size_t n;

    if (wall_ns == 0) {
        snprintf(out, SKL_TIME_LEN, "0001-01-01T00:00:00Z");
        return out;
    }
    n = format(wall_ns, out, true);
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    snprintf(out + n, SKL_TIME_LEN - n, "Z");
    return out;
}

/* -- parsing */

static bool take_digits(struct skl_str *s, size_t n, int *ret)
{
    uint64_t v;

    if (s->n < n || !skl_str_u64(skl_str_n(s->p, n), &v))
        return false;
    *s = skl_str_skip(*s, n);
    *ret = (int)v;
    return true;
}

static bool take_char(struct skl_str *s, char c)
{
    int lower = c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0;

    if (s->n == 0 || (s->p[0] != c && s->p[0] != c + lower))
        return false;
    *s = skl_str_skip(*s, 1);
    return true;
}

static int64_t take_fraction(struct skl_str *s)
{
    int64_t ns = 0, unit = SKL_NS_PER_S / 10;

    while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
        ns += (s->p[0] - '0') * unit;
        unit /= 10;
        *s = skl_str_skip(*s, 1);
    }
    return ns;
}

static bool take_zone(struct skl_str *s, int64_t *ret_seconds)
{
    int sign, hours, minutes;

    *ret_seconds = 0;
    if (take_char(s, 'Z'))
        return true;
    if (s->n == 0 || (s->p[0] != '+' && s->p[0] != '-'))
        return false;
    sign = s->p[0] == '-' ? -1 : 1;
    *s = skl_str_skip(*s, 1);
    if (!take_digits(s, 2, &hours) || !take_char(s, ':') || !take_digits(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool skl_time_parse(struct skl_str s, int64_t *ret_wall_ns)
{
    struct tm tm = {0};
    int64_t ns = 0, zone;
    int year, month, day, hour, minute, second;
    time_t t;

    if (!take_digits(&s, 4, &year) || !take_char(&s, '-') || !take_digits(&s, 2, &month) ||
        !take_char(&s, '-') || !take_digits(&s, 2, &day) || s.n == 0 ||
        !(take_char(&s, 'T') || take_char(&s, ' ')) || !take_digits(&s, 2, &hour) ||
        !take_char(&s, ':') || !take_digits(&s, 2, &minute) || !take_char(&s, ':') ||
        !take_digits(&s, 2, &second))
        return false;
    if (s.n > 0 && s.p[0] == '.') {
        s = skl_str_skip(s, 1);
        if (s.n == 0 || s.p[0] < '0' || s.p[0] > '9')
            return false;
        ns = take_fraction(&s);
    }
    if (!take_zone(&s, &zone) || s.n > 0 || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    if (year == 1 && month == 1 && day == 1) {
        *ret_wall_ns = 0; /* "never" */
        return true;
    }
    if (year < 1678 || year > 2261)
        return false; /* does not fit into 64 bits of nanoseconds */
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = minute;
    tm.tm_sec = second;
    t = timegm(&tm); /* a 31st of February has become the 3rd of March */
    if (second < 60 && tm.tm_mday != day)
        return false;
    *ret_wall_ns = ((int64_t)t - zone) * SKL_NS_PER_S + ns;
    return true;
}
