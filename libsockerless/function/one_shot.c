/* Whether a command is `tail -f /dev/null`: what CI tools start when they want a container that waits for exec. */
#include "function/one_shot.h"

#include "base/alloc.h"
#include "base/str.h"

#define MAX_WORDS 16

static struct skl_str base_name(struct skl_str path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return skl_str_skip(path, i);
    return path;
}

static bool is_one_of(struct skl_str word, const char *const *names)
{
    for (; *names; names++)
        if (skl_str_eqz(word, *names))
            return true;
    return false;
}

/* -f, -F, -fn0, --follow, --follow=name, --retry...: the follow option is among them. */
static bool is_follow_option(struct skl_str word)
{
    if (skl_str_starts(word, "--"))
        return skl_str_starts(word, "--follow");
    return skl_str_starts(word, "-") &&
           (memchr(word.p, 'f', word.n) != NULL || memchr(word.p, 'F', word.n) != NULL);
}

static bool is_tail(const struct skl_str *words, size_t n)
{
    bool follows = false, reads_null = false;

    if (n < 2 || !skl_str_eqz(base_name(words[0]), "tail"))
        return false;
    for (size_t i = 1; i < n; i++) {
        if (skl_str_eqz(words[i], "/dev/null"))
            reads_null = true;
        else if (is_follow_option(words[i]))
            follows = true;
        else if (!skl_str_starts(words[i], "-") && !skl_str_eqz(words[i], "0"))
            return false; /* another file: its lines are wanted */
    }
    return follows && reads_null;
}

static bool keeps_alive(const struct skl_str *words, size_t n);

static bool text_keeps_alive(struct skl_str text)
{
    struct skl_str words[MAX_WORDS];
    size_t n = 0;

    text = skl_str_trim(text);
    while (text.n > 0 && (text.p[text.n - 1] == ';' || text.p[text.n - 1] == '&'))
        text.n--;
    while (text.n > 0) {
        size_t i = 0;

        while (i < text.n && text.p[i] != ' ' && text.p[i] != '\t')
            i++;
        if (i > 0) {
            if (n == MAX_WORDS)
                return false;
            words[n] = skl_str_n(text.p, i);
            if (words[n].n >= 2 && (words[n].p[0] == '"' || words[n].p[0] == '\'') &&
                words[n].p[words[n].n - 1] == words[n].p[0])
                words[n] = skl_str_n(words[n].p + 1, words[n].n - 2);
            n++;
        }
        text = skl_str_skip(text, i < text.n ? i + 1 : i);
    }
    return keeps_alive(words, n);
}

static bool keeps_alive(const struct skl_str *words, size_t n)
{
    static const char *const shells[] = {"sh", "bash", "ash", "dash", "busybox", NULL};
    static const char *const wrappers[] = {"exec", "tini", "dumb-init", "docker-init", "catatonit",
                                           "--",   "-s",   "-g",        "nohup",       NULL};

    while (n > 0 && is_one_of(base_name(words[0]), wrappers)) {
        words++;
        n--;
    }
    if (is_tail(words, n))
        return true;
    if (n < 2 || !is_one_of(base_name(words[0]), shells))
        return false;
    for (size_t i = 1; i < n; i++) {
        /* -c, -ec, -lc...: the next word is the script. */
        if (words[i].n >= 2 && words[i].p[0] == '-' && words[i].p[1] != '-' &&
            words[i].p[words[i].n - 1] == 'c')
            return i + 1 < n && text_keeps_alive(words[i + 1]);
        if (!skl_str_starts(words[i], "-"))
            return keeps_alive(words + i, n - i); /* busybox sh..., busybox tail... */
    }
    return false;
}

bool skl_command_keeps_alive(char *const *argv)
{
    struct skl_str words[MAX_WORDS];
    size_t n = skl_strv_len(argv);

    if (n == 0)
        return true;
    if (n > MAX_WORDS)
        return false;
    for (size_t i = 0; i < n; i++)
        words[i] = skl_str(argv[i]);
    return keeps_alive(words, n);
}
