/* Frames and records of the agent protocol: what either end may be sent. */
#include <stdint.h>

#include "agent/wire.h"
#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skl_frame f;
    struct skl_str rest;
    struct skl_tlv r;
    size_t records = 0;
    char **args;

    if (skl_frame_parse(skl_str_n((const char *)data, n), &f, NULL) < 0)
        return 0;
    SKL_ASSERT(f.payload.n <= n && *skl_frame_name(f.type));
    rest = f.payload;
    while (skl_tlv_next(&rest, &r, NULL) > 0) {
        SKL_ASSERT(r.value.p >= f.payload.p && r.value.p + r.value.n <= f.payload.p + f.payload.n);
        records += r.tag == SKL_TAG_ARG;
        (void)skl_tlv_num(&r);
    }
    if (!skl_tlv_is_valid(f.payload))
        return 0;
    args = skl_tlv_find_strv(f.payload, SKL_TAG_ARG);
    SKL_ASSERT(skl_strv_len(args) == records);
    skl_strv_free(args);
    free(skl_tlv_find_dup(f.payload, SKL_TAG_PATH));
    (void)skl_tlv_find_num(f.payload, SKL_TAG_CODE, 0);
    return 0;
}
