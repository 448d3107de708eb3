/* Here-documents in the arguments of ADD, COPY and RUN (and of those behind ONBUILD): "<<EOF", "<<-EOF",
 * "<<'EOF'", "3<<EOF". */
#include "base/alloc.h"
#include "build/dockerfile_internal.h"

/* The name without its quotes; false when it is none. */
static bool unquote(const char *s, struct skl_buf *name, bool *quoted)
{
    char quote = '\0';

    *quoted = false;
    for (; *s; s++) {
        if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
            *quoted = true;
            quote = quote ? '\0' : *s;
        } else if (*s == '\\' && !quote && s[1]) {
            *quoted = true;
            skl_buf_addc(name, *++s);
        } else if (*s == '<') {
            return false;
        } else {
            skl_buf_addc(name, *s);
        }
    }
    return !quote && name->n > 0;
}

static void take_word(struct skl_instruction *i, const char *word)
{
    SKL_AUTO_BUF struct skl_buf name = {0};
    const char *s = word;
    struct skl_heredoc h = {0};
    bool quoted;

    while (*s >= '0' && *s <= '9')
        s++;
    if (s[0] != '<' || s[1] != '<')
        return;
    s += 2;
    h.chomp = *s == '-';
    skl_buf_init(&name, SKL_DOCKERFILE_MAX + 1);
    if (!unquote(h.chomp ? s + 1 : s, &name, &quoted))
        return;
    h.expand = !quoted;
    h.word = skl_strdup(word);
    h.name = skl_buf_detach(&name);
    i->heredocs = skl_realloc(i->heredocs, i->n_heredocs + 1, sizeof(*i->heredocs));
    i->heredocs[i->n_heredocs++] = h;
}

void skl_df_find_heredocs(struct skl_instruction *i, const char *rest)
{
    enum skl_instruction_kind kind = i->kind;
    char **words;

    if (!strstr(rest, "<<"))
        return;
    words = skl_df_words(rest, '\\');
    if (kind == SKL_I_ONBUILD && words[0])
        (void)skl_df_kind(skl_str(words[0]), &kind); /* stays ONBUILD: no here-documents */
    if (kind == SKL_I_ADD || kind == SKL_I_COPY || kind == SKL_I_RUN)
        for (char **w = words; *w; w++)
            take_word(i, *w);
    skl_strv_free(words);
}
