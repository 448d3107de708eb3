#include "faults.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

void sim_faults_seed(struct sim_faults *f, int64_t seed)
{
    f->dice = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void clear(struct sim_faults *f)
{
    for (int i = 0; i < f->n_hooks; i++) {
        free(f->hooks[i].method);
        free(f->hooks[i].kind);
    }
    free(f->hooks);
    f->hooks = NULL;
    f->n_hooks = 0;
    f->p_429 = f->p_500 = f->p_drop = f->p_slow = 0;
}

static bool add_hook(struct sim_faults *f, struct skl_str method, struct skl_str what)
{
    struct skl_str count, kind = skl_str_cut(what, '*', &count);
    uint64_t n = 1;
    struct sim_fault_hook *h;

    if (method.n == 0 || kind.n == 0 || (count.p && (!skl_str_u64(count, &n) || n > 1000000)))
        return false;
    f->hooks = skl_realloc(f->hooks, (size_t)f->n_hooks + 1, sizeof(*h));
    h = &f->hooks[f->n_hooks++];
    *h = (struct sim_fault_hook){skl_str_dup(method), skl_str_dup(kind), (int)n};
    return true;
}

static bool add_chance(struct sim_faults *f, struct skl_str name, struct skl_str number)
{
    char *text SKL_AUTO_STR = skl_str_dup(number.p ? number : SKL_STR(""));
    char *end;
    double p = strtod(text, &end);

    if (end == text || *end || p < 0 || p > 1)
        return false;
    if (skl_str_eqz(name, "429"))
        f->p_429 = p;
    else if (skl_str_eqz(name, "500"))
        f->p_500 = p;
    else if (skl_str_eqz(name, "drop"))
        f->p_drop = p;
    else if (skl_str_eqz(name, "slow"))
        f->p_slow = p;
    else
        return false;
    return true;
}

bool sim_faults_parse(struct sim_faults *f, const char *spec)
{
    struct sim_faults made = {.dice = f->dice, .count = f->count};
    struct skl_str rest = skl_str(spec);

    while (rest.n > 0) {
        struct skl_str value, item = skl_str_trim(skl_str_cut(rest, ',', &rest)), name;
        bool ok;

        name = skl_str_cut(item, '=', &value);
        if (value.p) {
            ok = add_hook(&made, name, value);
        } else {
            name = skl_str_cut(item, ':', &value);
            ok = add_chance(&made, name, value);
        }
        if (!ok) {
            clear(&made);
            return false;
        }
    }
    clear(f);
    *f = made;
    return true;
}

/* xorshift: a fixed seed gives the same faults */
static double roll(struct sim_faults *f)
{
    f->dice ^= f->dice << 13;
    f->dice ^= f->dice >> 7;
    f->dice ^= f->dice << 17;
    return (double)(f->dice % 1000000) / 1e6;
}

static bool by_hook(struct sim_faults *f, const char *method, struct sim_fault *ret)
{
    for (int i = 0; i < f->n_hooks; i++) {
        struct sim_fault_hook *h = &f->hooks[i];
        struct skl_str kind = skl_str(h->kind);
        uint64_t status;

        if (h->left == 0 || strcmp(h->method, method) != 0)
            continue;
        h->left--;
        if (skl_str_u64(kind, &status))
            ret->status = (int)status;
        else if (skl_str_eqz(kind, "drop"))
            ret->drop = true;
        else if (skl_str_eqz(kind, "lost"))
            ret->lost = true;
        else if (skl_str_eqz(kind, "slow"))
            ret->slow = true;
        else
            ret->word = h->kind;
        return true;
    }
    return false;
}

struct sim_fault sim_fault_next(struct sim_faults *f, const char *method)
{
    struct sim_fault fault = {0};
    double dice = roll(f);
    bool cut = roll(f) < f->p_drop;
    bool effect = roll(f) < 0.5;
    bool slow = roll(f) < f->p_slow;

    if (!by_hook(f, method, &fault)) {
        fault.slow = slow;
        fault.drop = cut && !effect;
        fault.lost = cut && effect;
        if (!cut && dice < f->p_429)
            fault.status = 429;
        else if (!cut && dice < f->p_429 + f->p_500)
            fault.status = 500;
    }
    f->count += fault.status || fault.drop || fault.lost || fault.word;
    return fault;
}
