/* Matching of paths with * ? [..] \ and, for ignore files, **. Stars go back only to the newest one before them, which is
 * enough where '*' cannot cross '/'; a "**" is matched by trying every place: the depth of paths bounds it. */
#include "base/alloc.h"
#include "base/buf.h"
#include "build/ignore.h"
#include "build/pattern_internal.h"

#define STEPS_MAX 20000 /* of one match: a pattern of many ** may try that often */

static const char *one_of_class(const char *p, char *ret)
{
    if (*p == '\\' && p[1])
        p++;
    *ret = *p;
    return *p ? p + 1 : NULL;
}

/* At '[': the rest of the pattern, NULL if it is malformed. */
static const char *match_class(const char *p, char c, bool *ret)
{
    bool negated = p[1] == '^', found = false;
    unsigned ranges = 0;

    for (p += negated ? 2 : 1; *p != ']' || ranges == 0; ranges++) {
        char low, high;

        if (!*p || *p == '-' || *p == ']')
            return NULL;
        p = one_of_class(p, &low);
        high = low;
        if (p && *p == '-')
            p = p[1] && p[1] != ']' ? one_of_class(p + 1, &high) : NULL;
        if (!p)
            return NULL;
        found |= (unsigned char)c >= (unsigned char)low && (unsigned char)c <= (unsigned char)high;
    }
    *ret = found != negated;
    return p + 1;
}

/* One character of the pattern against c: the rest, NULL if malformed. */
static const char *match_one(const char *p, char c, bool *ret)
{
    if (*p == '[')
        return match_class(p, c, ret);
    *ret = *p == '?' ? c != '/' : false;
    if (*p == '?')
        return p + 1;
    if (*p == '\\') {
        p++;
        if (!*p)
            return NULL;
    }
    *ret = *p == c;
    return p + 1;
}

static bool well_formed(const char *p)
{
    bool ignored;

    while (p && *p)
        p = *p == '*' ? p + 1 : match_one(p, 'x', &ignored);
    return p != NULL;
}

static int match_at(const char *p, const char *s, bool deep, unsigned *steps)
{
    const char *star = NULL, *from = NULL; /* the newest '*' and where it began */

    for (;;) {
        bool ok = false;
        const char *next;

        if (++*steps > STEPS_MAX)
            return 0;
        if (deep && p[0] == '*' && p[1] == '*') {
            p += 2;
            while (*p == '*')
                p++;
            if (*p == '/') { /* no directory, or some */
                if (match_at(p + 1, s, deep, steps))
                    return 1;
                for (; *s; s++)
                    if (*s == '/' && match_at(p + 1, s + 1, deep, steps))
                        return 1;
                return 0;
            }
            for (;; s++) {
                if (match_at(p, s, deep, steps))
                    return 1;
                if (!*s)
                    return 0;
            }
        }
        if (*p == '*') {
            star = ++p;
            from = s;
            continue;
        }
        if (!*p && !*s)
            return 1;
        if (*p && *s && (*s != '/' || *p == '/' || *p == '\\')) {
            next = match_one(p, *s, &ok);
            if (ok) {
                p = next;
                s++;
                continue;
            }
        }
        if (!star || !*from || *from == '/')
            return 0;
        p = star;
        s = ++from;
    }
}

bool skl_pattern_is_valid(const char *pattern)
{
    return well_formed(pattern);
}

bool skl_pattern_match_deep(const char *pattern, const char *path)
{
    unsigned steps = 0;

    return match_at(pattern, path, true, &steps) == 1;
}

int skl_pattern_match(const char *pattern, const char *path)
{
    unsigned steps = 0;

    return well_formed(pattern) ? match_at(pattern, path, false, &steps) : -SKL_E_INVALID;
}

bool skl_pattern_has_wildcards(const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (strchr("*?[", *s))
            return true;
    }
    return false;
}

char *skl_pattern_clean(struct skl_str path)
{
    bool rooted = path.n > 0 && *path.p == '/';
    struct skl_buf b;
    size_t base = rooted ? 1 : 0;
    struct skl_str rest = path;

    skl_buf_init(&b, path.n + 2);
    if (rooted)
        skl_buf_addc(&b, '/');
    while (rest.p) {
        struct skl_str part = skl_str_cut(rest, '/', &rest);
        bool up = skl_str_eqz(part, "..");
        bool last_up = b.n - base == 2 ? memcmp(b.p + base, "..", 2) == 0
                                       : b.n > base + 2 && memcmp(b.p + b.n - 3, "/..", 3) == 0;

        if (part.n == 0 || skl_str_eqz(part, ".") || (up && rooted && b.n == base))
            continue;
        if (up && b.n > base && !last_up) {
            while (b.n > base && b.p[b.n - 1] != '/')
                b.n--;
            if (b.n > base)
                b.n--;
            b.p[b.n] = '\0';
            continue;
        }
        if (b.n > base)
            skl_buf_addc(&b, '/');
        skl_buf_addstr(&b, part);
    }
    if (b.n == 0)
        skl_buf_addc(&b, '.');
    return skl_buf_detach(&b);
}
