#include "build/ignore.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "build/pattern_internal.h"

struct rule {
    char *pattern;
    bool back_in;
};

struct skl_ignore {
    struct rule *rules;
    size_t n;
};

void skl_ignore_free(struct skl_ignore *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++)
        free(g->rules[i].pattern);
    free(g->rules);
    free(g);
}

static int add_rule(struct skl_ignore *g, struct skl_str line, struct skl_error *err)
{
    struct rule rule = {0};

    rule.back_in = *line.p == '!';
    if (rule.back_in)
        line = skl_str_trim(skl_str_skip(line, 1));
    if (line.n == 0)
        return skl_fail(err, SKL_E_INVALID,
                        "error reading .dockerignore: illegal exclusion pattern: \"!\"");
    rule.pattern = skl_pattern_clean(line);
    if (rule.pattern[0] == '/' && rule.pattern[1]) {
        char *relative = skl_strdup(rule.pattern + 1);

        free(rule.pattern);
        rule.pattern = relative;
    }
    if (!skl_pattern_is_valid(rule.pattern) || memchr(line.p, '\0', line.n)) {
        free(rule.pattern);
        return skl_fail(err, SKL_E_INVALID,
                        "error reading .dockerignore: '%.*s': syntax error in pattern",
                        (int)(line.n < 100 ? line.n : 100), line.p);
    }
    if (g->n == SKL_IGNORE_MAX_PATTERNS) {
        free(rule.pattern);
        return skl_fail(err, SKL_E_TOOBIG, "error reading .dockerignore: more than %u patterns",
                        SKL_IGNORE_MAX_PATTERNS);
    }
    g->rules = skl_realloc(g->rules, g->n + 1, sizeof(*g->rules));
    g->rules[g->n++] = rule;
    return 0;
}

int skl_ignore_parse(struct skl_str text, struct skl_ignore **ret, struct skl_error *err)
{
    SKL_AUTO(ignore) g = skl_new0(struct skl_ignore);

    if (text.n > SKL_IGNORE_MAX)
        return skl_fail(err, SKL_E_TOOBIG, "error reading .dockerignore: larger than %u KiB",
                        SKL_IGNORE_MAX >> 10);
    if (skl_str_starts(text, "\xef\xbb\xbf"))
        text = skl_str_skip(text, 3);
    while (text.p) {
        struct skl_str line = skl_str_cut(text, '\n', &text);
        int rc;

        if (line.n > 0 && *line.p == '#')
            continue;
        line = skl_str_trim(line);
        rc = line.n > 0 ? add_rule(g, line, err) : 0;
        if (rc < 0)
            return rc;
    }
    *ret = skl_take(&g);
    return 0;
}

/* The pattern matches the path or a directory above it. */
static bool rule_matches(const struct rule *rule, char *path)
{
    bool found = skl_pattern_match_deep(rule->pattern, path);

    for (char *s = path; !found && (s = strchr(s, '/')); s++) {
        *s = '\0';
        found = skl_pattern_match_deep(rule->pattern, path);
        *s = '/';
    }
    return found;
}

bool skl_ignore_excludes(const struct skl_ignore *g, const char *path)
{
    SKL_AUTO_STR char *copy = NULL;
    bool out = false;

    if (!g || g->n == 0)
        return false;
    copy = skl_strdup(path);
    for (size_t i = 0; i < g->n; i++)
        if (g->rules[i].back_in == out && rule_matches(&g->rules[i], copy))
            out = !g->rules[i].back_in;
    return out;
}
