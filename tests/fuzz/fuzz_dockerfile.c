/* Dockerfiles, and every word of them expanded. */
#include "base/alloc.h"
#include "build/dockerfile.h"
#include "build/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *arg, struct skl_str name)
{
    return name.n % 3 == 0 ? NULL : name.n % 3 == 1 ? "a/b.c d" : "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SKL_AUTO(dockerfile) d = NULL;
    struct skl_expand x = {'\\', lookup, NULL};

    if (skl_dockerfile_parse(skl_str_n((const char *)data, size), &d, NULL) < 0)
        return 0;
    x.escape = d->escape;
    for (size_t i = 0; i < d->n; i++) {
        for (char **p = d->list[i].args; *p; p++) {
            SKL_AUTO_STR char *one = NULL;
            char **many = NULL;

            (void)skl_expand_word(&x, *p, &one, NULL);
            (void)skl_expand_words(&x, *p, &many, NULL);
            skl_strv_free(many);
        }
        for (size_t k = 0; k < d->list[i].n_heredocs; k++) {
            SKL_AUTO_STR char *text = NULL;

            (void)skl_expand_text(&x, d->list[i].heredocs[k].content, 65536, &text, NULL);
        }
    }
    return 0;
}
