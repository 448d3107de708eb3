/* Rows of the state database. Whatever is accepted can be written again, and what was written reads the same. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/codec.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

static void check_spec(struct skl_str text)
{
    struct skl_container *a = skl_container_new(), *b = skl_container_new();
    char *once = NULL, *twice = NULL;

    if (skl_spec_decode(text, &a->spec, NULL) == 0) {
        if (skl_spec_encode(&a->spec, &once, NULL) < 0 ||
            skl_spec_decode(skl_str(once), &b->spec, NULL) < 0 ||
            skl_spec_encode(&b->spec, &twice, NULL) < 0 || strcmp(once, twice) != 0)
            abort();
    }
    free(once);
    free(twice);
    skl_container_free(a);
    skl_container_free(b);
}

static void check_endpoints(struct skl_str text)
{
    struct skl_container *a = skl_container_new();
    char *again = NULL;

    if (skl_endpoints_decode(text, a, NULL) == 0 && skl_endpoints_encode(a, &again, NULL) < 0)
        abort();
    free(again);
    skl_container_free(a);
}

static void check_objects(struct skl_str text)
{
    struct skl_image *i = skl_image_new();
    struct skl_network *w = skl_network_new();
    struct skl_volume *v = skl_volume_new();
    struct skl_exec *x = skl_exec_new();
    struct skl_labels l = {0};
    char *again[5] = {NULL};

    if ((skl_image_decode(text, i, NULL) == 0 && skl_image_encode(i, &again[0], NULL) < 0) ||
        (skl_network_decode(text, w, NULL) == 0 && skl_network_encode(w, &again[1], NULL) < 0) ||
        (skl_volume_decode(text, v, NULL) == 0 && skl_volume_encode(v, &again[2], NULL) < 0) ||
        (skl_exec_decode(text, x, NULL) == 0 && skl_exec_encode(x, &again[3], NULL) < 0) ||
        (skl_labels_decode(text, &l, NULL) == 0 && skl_labels_encode(&l, &again[4], NULL) < 0))
        abort();
    for (size_t k = 0; k < SKL_ARRAY_LEN(again); k++)
        free(again[k]);
    skl_labels_fini(&l);
    skl_exec_free(x);
    skl_volume_free(v);
    skl_network_free(w);
    skl_image_free(i);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    struct skl_str text = skl_str_n((const char *)data, n);

    if (n > 65536)
        return 0;
    check_spec(text);
    check_endpoints(text);
    check_objects(text);
    return 0;
}
