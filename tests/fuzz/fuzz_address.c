/* Addresses: what was read and is printed reads the same again. */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "net/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = skl_strndup((const char *)data, n);
    struct skl_address a, b;
    struct skl_error e;
    char out[400];
    if (skl_address_parse(text, 1, &a, &e) == 0) {
        skl_address_is_loopback(&a);
        skl_address_format(&a, out, sizeof(out));
        SKL_ASSERT(skl_address_parse(out, 1, &b, &e) == 0);
        SKL_ASSERT(a.kind == b.kind && a.port == b.port && a.fd == b.fd);
        SKL_ASSERT(strcmp(a.host, b.host) == 0 && strcmp(a.path, b.path) == 0);
    }
    free(text);
    return 0;
}
