/* A pattern becomes a program of a few instructions; all ways through it are followed at once (Thompson), so that no
 * pattern is slow. The C library's regcomp() was tried: "a++++++++" and nested groups make it work for ever.
 * Jumps are relative, so that a piece of program can be moved and copied as it is. */
#include "docker/api/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MAX_DEPTH 40

enum op { OP_SET, OP_SPLIT, OP_BEGIN, OP_END, OP_MATCH };

struct inst {
    uint8_t op;
    int16_t x, y;    /* SPLIT: both ways; one way when they are equal */
    uint8_t set[32]; /* SET: bytes that go on */
};

struct skl_pattern {
    struct inst *prog;
    int n;
    int *now, *next, *stack; /* room for n each */
    unsigned *seen, turn;
};

struct parser {
    const char *p;
    struct inst *prog; /* SKL_PATTERN_MAX */
    int n, depth;
    bool failed;
};

/* -- emitting */

static struct inst *emit(struct parser *c, enum op op)
{
    if (c->n == SKL_PATTERN_MAX) {
        c->failed = true;
        return &c->prog[c->n - 1];
    }
    c->prog[c->n] = (struct inst){.op = (uint8_t)op};
    return &c->prog[c->n++];
}

static void emit_split(struct parser *c, int x, int y)
{
    struct inst *i = emit(c, OP_SPLIT);

    i->x = (int16_t)x;
    i->y = (int16_t)y;
}

/* In front of everything from `at` on. */
static void insert_split(struct parser *c, int at, int x, int y)
{
    struct inst last;

    emit_split(c, x, y);
    if (c->failed)
        return;
    last = c->prog[c->n - 1];
    memmove(&c->prog[at + 1], &c->prog[at], (size_t)(c->n - 1 - at) * sizeof(last));
    c->prog[at] = last;
}

static void copy_piece(struct parser *c, const struct inst *piece, int n)
{
    if (c->n + n > SKL_PATTERN_MAX) {
        c->failed = true;
        return;
    }
    memcpy(&c->prog[c->n], piece, (size_t)n * sizeof(*piece));
    c->n += n;
}

/* -- sets */

static void add_byte(uint8_t set[32], unsigned char b)
{
    set[b / 8] |= (uint8_t)(1u << b % 8);
}

static bool has_byte(const uint8_t set[32], unsigned char b)
{
    return set[b / 8] >> b % 8 & 1;
}

static void add_range(uint8_t set[32], unsigned from, unsigned to)
{
    for (unsigned b = from; b <= to; b++)
        add_byte(set, (unsigned char)b);
}

static void invert(uint8_t set[32])
{
    for (int i = 0; i < 32; i++)
        set[i] = (uint8_t)~set[i];
}

/* \d, \W, \n, \. ...: false if Go has no such escape. */
static bool add_escape(uint8_t set[32], char c)
{
    uint8_t one[32] = {0};

    switch (c | 0x20) {
    case 'd':
        add_range(one, '0', '9');
        break;
    case 'w':
        add_range(one, '0', '9');
        add_range(one, 'a', 'z');
        add_range(one, 'A', 'Z');
        add_byte(one, '_');
        break;
    case 's':
        for (const char *p = "\t\n\f\r "; *p; p++)
            add_byte(one, (unsigned char)*p);
        break;
    default:
        if (c == 'n' || c == 't' || c == 'r')
            add_byte(one, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
        else if (c == '\0' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                 (c >= 'A' && c <= 'Z'))
            return false;
        else
            add_byte(one, (unsigned char)c);
        c = 'x';
    }
    if (c == 'D' || c == 'W' || c == 'S')
        invert(one);
    for (int i = 0; i < 32; i++)
        set[i] |= one[i];
    return true;
}

/* After '['; c->p ends behind ']'. */
static void parse_class(struct parser *c)
{
    struct inst *i = emit(c, OP_SET);
    bool negative = *c->p == '^', first = true;

    if (negative)
        c->p++;
    for (; *c->p && (*c->p != ']' || first); first = false) {
        unsigned char from = (unsigned char)*c->p++;

        if (from == '\\') {
            if (!add_escape(i->set, *c->p))
                c->failed = true;
            else
                c->p++;
            if (c->failed)
                return;
            continue;
        }
        if (c->p[0] == '-' && c->p[1] && c->p[1] != ']') {
            unsigned char to = (unsigned char)c->p[1];

            c->p += 2;
            if (to < from || to == '\\') {
                c->failed = true;
                return;
            }
            add_range(i->set, from, to);
        } else {
            add_byte(i->set, from);
        }
    }
    if (*c->p != ']') {
        c->failed = true;
        return;
    }
    c->p++;
    if (negative)
        invert(i->set);
}

/* -- parsing */

static void parse_alternatives(struct parser *c);

static void parse_group(struct parser *c)
{
    if (c->p[0] == '?') {
        if (c->p[1] != ':') {
            c->failed = true;
            return;
        }
        c->p += 2;
    }
    if (++c->depth > MAX_DEPTH) {
        c->failed = true;
        return;
    }
    parse_alternatives(c);
    c->depth--;
    if (*c->p != ')') {
        c->failed = true;
        return;
    }
    c->p++;
}

static void parse_atom(struct parser *c)
{
    char ch = *c->p++;

    switch (ch) {
    case '(':
        parse_group(c);
        break;
    case '[':
        parse_class(c);
        break;
    case '.':
        invert(emit(c, OP_SET)->set);
        break;
    case '^':
        emit(c, OP_BEGIN);
        break;
    case '$':
        emit(c, OP_END);
        break;
    case '\\':
        if (*c->p == 'A' || *c->p == 'z')
            emit(c, *c->p == 'A' ? OP_BEGIN : OP_END);
        else if (!add_escape(emit(c, OP_SET)->set, *c->p))
            c->failed = true;
        if (!c->failed)
            c->p++;
        break;
    case '*':
    case '+':
    case '?':
        c->failed = true; /* nothing to repeat */
        break;
    default:
        add_byte(emit(c, OP_SET)->set, (unsigned char)ch);
    }
}

/* "{n}", "{n,}", "{n,m}" at c->p; anything else is text. */
static bool take_count(struct parser *c, int *min, int *max)
{
    char *end;
    const char *p = c->p + 1;

    if (*p < '0' || *p > '9')
        return false;
    *min = *max = (int)strtol(p, &end, 10);
    if (*end == ',') {
        p = end + 1;
        *max = -1;
        if (*p >= '0' && *p <= '9')
            *max = (int)strtol(p, &end, 10);
        else
            end++;
    }
    if (*end != '}')
        return false;
    c->p = end + 1;
    if (*min > SKL_PATTERN_MAX || *max > SKL_PATTERN_MAX || *min < 0 || (*max >= 0 && *max < *min))
        c->failed = true;
    return true;
}

static void star(struct parser *c, int at)
{
    int n = c->n - at;

    insert_split(c, at, 1, n + 2);
    emit_split(c, -(n + 1), -(n + 1));
}

static void repeat(struct parser *c, int at, int min, int max)
{
    int n = c->n - at;
    struct inst *piece = skl_memdup(&c->prog[at], (size_t)n * sizeof(*piece));

    c->n = at;
    for (int i = 0; i < min && !c->failed; i++)
        copy_piece(c, piece, n);
    if (max < 0 && !c->failed) {
        int tail = c->n;

        copy_piece(c, piece, n);
        if (!c->failed)
            star(c, tail);
    }
    for (int i = min; i < max && !c->failed; i++) {
        int tail = c->n;

        copy_piece(c, piece, n);
        if (!c->failed)
            insert_split(c, tail, 1, n + 1);
    }
    free(piece);
}

static void parse_repeats(struct parser *c, int at)
{
    int n = c->n - at, min, max;

    switch (*c->p) {
    case '*':
        c->p++;
        star(c, at);
        break;
    case '+':
        c->p++;
        emit_split(c, -n, 1);
        break;
    case '?':
        c->p++;
        insert_split(c, at, 1, n + 1);
        break;
    case '{':
        if (!take_count(c, &min, &max))
            return;
        if (!c->failed)
            repeat(c, at, min, max);
        break;
    default:
        return;
    }
    if (*c->p == '?')
        c->p++; /* lazy: the same matches */
    if (*c->p == '*' || *c->p == '+' || *c->p == '?')
        c->failed = true;
}

static void parse_alternatives(struct parser *c)
{
    int start = c->n;

    while (*c->p && *c->p != '|' && *c->p != ')' && !c->failed) {
        int at = c->n;

        parse_atom(c);
        if (!c->failed)
            parse_repeats(c, at);
    }
    if (*c->p == '|' && !c->failed) {
        int n = c->n - start, jump;

        c->p++;
        insert_split(c, start, 1, n + 2);
        jump = c->n;
        emit_split(c, 0, 0);
        if (c->failed)
            return;
        parse_alternatives(c); /* as deep as the program has room for splits */
        c->prog[jump].x = c->prog[jump].y = (int16_t)(c->n - jump);
    }
}

struct skl_pattern *skl_pattern_new(const char *text)
{
    struct parser c = {.p = text, .prog = skl_new0_n(struct inst, SKL_PATTERN_MAX)};
    struct skl_pattern *p;

    parse_alternatives(&c);
    emit(&c, OP_MATCH);
    if (c.failed || *c.p) {
        free(c.prog);
        return NULL;
    }
    p = skl_new0(struct skl_pattern);
    p->prog = c.prog;
    p->n = c.n;
    p->now = skl_new0_n(int, (size_t)c.n);
    p->next = skl_new0_n(int, (size_t)c.n);
    p->stack = skl_new0_n(int, 2 * (size_t)c.n + 2);
    p->seen = skl_new0_n(unsigned, (size_t)c.n);
    return p;
}

void skl_pattern_free(struct skl_pattern *p)
{
    if (!p)
        return;
    free(p->prog);
    free(p->now);
    free(p->next);
    free(p->stack);
    free(p->seen);
    free(p);
}

/* -- matching */

/* Adds all instructions that are reached from `at` without a byte; true if the end of the pattern is. */
static bool follow(struct skl_pattern *p, int at, bool begin, bool end, int *list, int *n)
{
    int depth = 0;

    p->stack[depth++] = at;
    while (depth > 0) {
        const struct inst *i;

        at = p->stack[--depth];
        if (p->seen[at] == p->turn)
            continue;
        p->seen[at] = p->turn;
        i = &p->prog[at];
        switch ((enum op)i->op) {
        case OP_MATCH:
            return true;
        case OP_SET:
            list[(*n)++] = at;
            break;
        case OP_SPLIT:
            p->stack[depth++] = at + i->x;
            p->stack[depth++] = at + i->y;
            break;
        case OP_BEGIN:
            if (begin)
                p->stack[depth++] = at + 1;
            break;
        case OP_END:
            if (end)
                p->stack[depth++] = at + 1;
            break;
        }
    }
    return false;
}

bool skl_pattern_matches(struct skl_pattern *p, const char *text)
{
    int n_now = 0, n_next;

    p->turn++;
    for (const char *t = text;; t++) {
        int *swap;

        if (follow(p, 0, t == text, !*t, p->now, &n_now))
            return true;
        if (!*t)
            return false;
        p->turn++;
        n_next = 0;
        for (int i = 0; i < n_now; i++)
            if (has_byte(p->prog[p->now[i]].set, (unsigned char)*t) &&
                follow(p, p->now[i] + 1, false, !t[1], p->next, &n_next))
                return true;
        swap = p->now;
        p->now = p->next;
        p->next = swap;
        n_now = n_next;
    }
}
