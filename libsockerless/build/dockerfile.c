/* Lines of a Dockerfile to instructions.
 *
 * Problem: an instruction may go over many physical lines, with comments and empty lines between them, and
 * may be followed by here-documents whose lines are none of that; errors must name the line where the
 * instruction begins. Approach: one pass over physical lines with a buffer for the logical line; the text of a
 * finished logical line goes to dockerfile_args.c, which knows each instruction's grammar.
 */
#include "build/dockerfile.h"

#include <stdio.h>

#include "base/alloc.h"
#include "build/dockerfile_internal.h"

#define DIRECTIVES_MAX 8

struct parser {
    struct skl_dockerfile *d;
    struct skl_str rest; /* p = NULL when all lines were read */
    unsigned line;       /* of the physical line read last */
    bool directives_over;
    char *directives[DIRECTIVES_MAX]; /* seen */
    size_t n_directives;
    struct skl_buf logical;
    unsigned logical_line;
    bool empty_inside;
    struct skl_buf warnings;
};

static const char *const kind_names[] = {
#define X(name) #name,
    SKL_INSTRUCTIONS(X)
#undef X
};

const char *skl_instruction_name(enum skl_instruction_kind kind)
{
    return kind_names[kind];
}

bool skl_df_kind(struct skl_str word, enum skl_instruction_kind *ret)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(kind_names); i++)
        if (skl_str_ieqz(word, kind_names[i])) {
            *ret = (enum skl_instruction_kind)i;
            return true;
        }
    return false;
}

const char *skl_instruction_flag(const struct skl_instruction *i, const char *name)
{
    for (char **p = i->flags; p && *p; p += 2)
        if (skl_streq(*p, name))
            return p[1];
    return NULL;
}

static void instruction_fini(struct skl_instruction *i)
{
    free(i->original);
    skl_strv_free(i->flags);
    skl_strv_free(i->args);
    for (size_t n = 0; n < i->n_heredocs; n++) {
        free(i->heredocs[n].word);
        free(i->heredocs[n].name);
        free(i->heredocs[n].content);
    }
    free(i->heredocs);
}

void skl_dockerfile_free(struct skl_dockerfile *d)
{
    if (!d)
        return;
    for (size_t n = 0; n < d->n; n++)
        instruction_fini(&d->list[n]);
    free(d->list);
    free(d->warnings);
    free(d);
}

static void parser_fini(struct parser *p)
{
    for (size_t n = 0; n < p->n_directives; n++)
        free(p->directives[n]);
    skl_buf_fini(&p->logical);
    skl_buf_fini(&p->warnings);
    skl_dockerfile_free(p->d);
}

/* The next physical line without its end; false after the last. */
static bool next_line(struct parser *p, struct skl_str *ret)
{
    if (!p->rest.p || p->rest.n == 0)
        return false;
    *ret = skl_str_cut(p->rest, '\n', &p->rest);
    p->line++;
    if (ret->n > 0 && ret->p[ret->n - 1] == '\r')
        ret->n--;
    return true;
}

static struct skl_str trim_left(struct skl_str s)
{
    while (s.n > 0 && skl_df_space(*s.p))
        s = skl_str_skip(s, 1);
    return s;
}

/* -- directives: "# name = value" in the first lines */

static bool split_directive(struct skl_str line, struct skl_str *name, struct skl_str *value)
{
    line = trim_left(line);
    if (line.n == 0 || *line.p != '#')
        return false;
    *name = skl_str_trim(skl_str_cut(skl_str_skip(line, 1), '=', value));
    if (!value->p || name->n == 0)
        return false;
    *value = skl_str_trim(*value);
    for (size_t i = 0; i < name->n; i++) {
        char c = name->p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return value->n > 0;
}

static int take_directive(struct parser *p, struct skl_str line, struct skl_error *err)
{
    static const char *const known[] = {"escape", "syntax", "check"};
    struct skl_str name, value;

    if (p->directives_over)
        return 0;
    if (!split_directive(line, &name, &value)) {
        p->directives_over = true;
        return 0;
    }
    for (size_t i = 0; i < p->n_directives; i++)
        if (skl_str_ieqz(name, p->directives[i]))
            return skl_fail(err, SKL_E_INVALID, "only one %s parser directive can be used",
                            p->directives[i]);
    for (size_t i = 0; i < SKL_ARRAY_LEN(known); i++)
        if (skl_str_ieqz(name, known[i])) {
            p->directives[p->n_directives++] = skl_strdup(known[i]);
            if (i > 0)
                return 0;
            if (value.n != 1 || (*value.p != '`' && *value.p != '\\'))
                return skl_fail(err, SKL_E_INVALID,
                                "invalid escape token '%.*s' does not match ` or \\",
                                (int)(value.n < 40 ? value.n : 40), value.p);
            p->d->escape = *value.p;
            return 0;
        }
    p->directives_over = true; /* an ordinary comment */
    return 0;
}

/* -- logical lines */

/* Whether the line goes on, and its text without the escape. Two escapes at the end are one, escaped. */
static bool continues(const struct parser *p, struct skl_str *line)
{
    struct skl_str s = *line;

    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    if (s.n == 0 || s.p[s.n - 1] != p->d->escape || (s.n > 1 && s.p[s.n - 2] == p->d->escape))
        return false;
    s.n--;
    *line = s;
    return true;
}

/* Collects the next logical line; false at the end of the text. */
static bool next_logical(struct parser *p, struct skl_error *err, int *rc)
{
    struct skl_str line;
    bool more = false;

    skl_buf_reset(&p->logical);
    p->empty_inside = false;
    while (next_line(p, &line)) {
        struct skl_str text = trim_left(line);

        if (!more && (*rc = take_directive(p, line, err)) < 0)
            return false;
        if (text.n > 0 && *text.p == '#')
            continue;
        if (text.n == 0) {
            p->empty_inside |= more;
            continue;
        }
        if (!more)
            p->logical_line = p->line;
        line = more ? line : text;
        more = continues(p, &line);
        skl_buf_addstr(&p->logical, line);
        if (!more)
            break;
    }
    return p->logical.n > 0;
}

/* -- here-documents */

static int read_heredoc(struct parser *p, struct skl_heredoc *h, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_str line;

    skl_buf_init(&b, SKL_DOCKERFILE_MAX + 1);
    while (next_line(p, &line)) {
        while (h->chomp && line.n > 0 && *line.p == '\t')
            line = skl_str_skip(line, 1);
        if (skl_str_eqz(line, h->name)) {
            h->content = skl_buf_detach(&b);
            return 0;
        }
        skl_buf_addstr(&b, line);
        skl_buf_addc(&b, '\n');
    }
    return skl_fail(err, SKL_E_INVALID, "unterminated heredoc");
}

/* -- instructions */

static int unknown(struct skl_str word, struct skl_error *err)
{
    char name[64];
    size_t n = word.n < sizeof(name) - 1 ? word.n : sizeof(name) - 1;

    for (size_t i = 0; i < n; i++)
        name[i] = word.p[i] >= 'a' && word.p[i] <= 'z' ? (char)(word.p[i] - 32) : word.p[i];
    name[n] = '\0';
    return skl_fail(err, SKL_E_INVALID, "unknown instruction: %s", name);
}

static int take_instruction(struct parser *p, struct skl_instruction *i, struct skl_error *err)
{
    struct skl_str text = skl_str_trim(skl_buf_str(&p->logical)), word = {text.p, 0}, rest;
    SKL_AUTO_STR char *args = NULL;
    int rc = 0;

    i->line = p->logical_line;
    i->original = skl_str_dup(text);
    while (word.n < text.n && !skl_df_space(text.p[word.n]))
        word.n++;
    rest = skl_str_trim(skl_str_skip(text, word.n));
    if (!skl_df_kind(word, &i->kind))
        return unknown(word, err);
    if (memchr(text.p, '\0', text.n))
        return skl_fail(err, SKL_E_INVALID, "a NUL byte in the text");
    args = skl_str_dup(rest);
    skl_df_find_heredocs(i, args);
    for (size_t n = 0; rc == 0 && n < i->n_heredocs; n++)
        rc = read_heredoc(p, &i->heredocs[n], err);
    return rc < 0 ? rc : skl_df_arguments(i, args, p->d->escape, err);
}

static int add_instruction(struct parser *p, struct skl_error *err)
{
    struct skl_dockerfile *d = p->d;
    int rc;

    if (d->n == SKL_DOCKERFILE_MAX_INSTRUCTIONS)
        return skl_fail(err, SKL_E_TOOBIG, "more than %u instructions",
                        SKL_DOCKERFILE_MAX_INSTRUCTIONS);
    if ((d->n & (d->n - 1)) == 0)
        d->list = skl_realloc(d->list, d->n ? 2 * d->n : 1, sizeof(*d->list));
    d->list[d->n] = (struct skl_instruction){0};
    d->n++;
    rc = take_instruction(p, &d->list[d->n - 1], err);
    if (rc == 0 && p->empty_inside)
        skl_buf_addf(&p->warnings, "[WARNING]: Empty continuation line found in:\n    %s\n",
                     d->list[d->n - 1].original);
    return rc;
}

static int parse_all(struct parser *p, struct skl_error *err)
{
    int rc = 0;

    while (rc == 0 && next_logical(p, err, &rc)) {
        unsigned line = p->logical_line;

        rc = add_instruction(p, err);
        if (rc < 0)
            return skl_wrap(err, rc, "dockerfile parse error line %u", line);
    }
    return rc < 0 ? skl_wrap(err, rc, "dockerfile parse error line %u", p->line) : 0;
}

int skl_dockerfile_parse(struct skl_str text, struct skl_dockerfile **ret, struct skl_error *err)
{
    __attribute__((cleanup(parser_fini))) struct parser p = {.rest = text};
    int rc;

    if (text.n > SKL_DOCKERFILE_MAX)
        return skl_fail(err, SKL_E_TOOBIG, "the Dockerfile is larger than %u MiB",
                        SKL_DOCKERFILE_MAX >> 20);
    if (skl_str_starts(text, "\xef\xbb\xbf"))
        p.rest = skl_str_skip(text, 3); /* a byte order mark */
    p.d = skl_new0(struct skl_dockerfile);
    p.d->escape = '\\';
    skl_buf_init(&p.logical, SKL_DOCKERFILE_MAX + 1);
    skl_buf_init(&p.warnings, 2 * SKL_DOCKERFILE_MAX);
    rc = parse_all(&p, err);
    if (rc < 0)
        return rc;
    if (p.d->n == 0)
        return skl_fail(err, SKL_E_INVALID,
                        "failed to parse Dockerfile: file with no instructions");
    p.d->warnings = skl_buf_detach(&p.warnings);
    *ret = skl_take(&p.d);
    return 0;
}
