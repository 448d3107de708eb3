#include "agent/wire.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

#define TLV_HEAD 6

static void put_be(uint8_t *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *in, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | in[i];
    return v;
}

void skl_wire_put_u64(uint8_t out[8], uint64_t v)
{
    put_be(out, v, 8);
}

uint64_t skl_wire_get_u64(const uint8_t in[8])
{
    return get_be(in, 8);
}

const char *skl_frame_name(uint8_t type)
{
    switch (type) {
#define X(name, value)                                                                             \
    case value:                                                                                    \
        return #name;
        SKL_FRAME_TYPES(X)
#undef X
    }
    return "?";
}

void skl_frame_head(uint8_t head[SKL_FRAME_HEAD], uint8_t type, uint8_t flags, uint32_t stream)
{
    head[0] = type;
    head[1] = flags;
    head[2] = head[3] = 0;
    put_be(head + 4, stream, 4);
}

static bool is_data(uint8_t type)
{
    return type == SKL_FRAME_STDIN || type == SKL_FRAME_STDOUT || type == SKL_FRAME_STDERR ||
           type == SKL_FRAME_TUNNEL_DATA;
}

int skl_frame_parse(struct skl_str message, struct skl_frame *ret, struct skl_error *err)
{
    const uint8_t *p = (const uint8_t *)message.p;

    if (message.n < SKL_FRAME_HEAD)
        return skl_fail(err, SKL_E_PROTOCOL, "a frame of %zu bytes is too short", message.n);
    if (p[2] != 0 || p[3] != 0)
        return skl_fail(err, SKL_E_PROTOCOL, "reserved bytes of a frame are not zero");
    *ret = (struct skl_frame){
        .type = p[0],
        .flags = p[1],
        .stream = (uint32_t)get_be(p + 4, 4),
        .payload = skl_str_skip(message, SKL_FRAME_HEAD),
    };
    if (skl_frame_name(ret->type)[0] == '?')
        return skl_fail(err, SKL_E_PROTOCOL, "frame type %u is unknown", ret->type);
    /* Main output has its offset in front. */
    if (is_data(ret->type) && ret->payload.n > SKL_FRAME_MAX_PAYLOAD + 8)
        return skl_fail(err, SKL_E_PROTOCOL, "a data frame of %zu bytes is too long",
                        ret->payload.n);
    return 0;
}

/* -- records */

void skl_tlv_str(struct skl_buf *b, enum skl_tag tag, struct skl_str value)
{
    uint8_t head[TLV_HEAD];

    put_be(head, tag, 2);
    put_be(head + 2, value.n, 4);
    skl_buf_add(b, head, sizeof(head));
    skl_buf_addstr(b, value);
}

void skl_tlv_strz(struct skl_buf *b, enum skl_tag tag, const char *value)
{
    if (value)
        skl_tlv_str(b, tag, skl_str(value));
}

void skl_tlv_u64(struct skl_buf *b, enum skl_tag tag, uint64_t value)
{
    uint8_t bytes[8];

    put_be(bytes, value, 8);
    skl_tlv_str(b, tag, skl_str_n((const char *)bytes, 8));
}

int skl_tlv_next(struct skl_str *rest, struct skl_tlv *ret, struct skl_error *err)
{
    const uint8_t *p = (const uint8_t *)rest->p;
    size_t n;

    if (rest->n == 0)
        return 0;
    if (rest->n < TLV_HEAD)
        return skl_fail(err, SKL_E_PROTOCOL, "a record is cut short");
    n = (size_t)get_be(p + 2, 4);
    if (n > rest->n - TLV_HEAD)
        return skl_fail(err, SKL_E_PROTOCOL, "a record is longer than its frame");
    ret->tag = (uint16_t)get_be(p, 2);
    ret->value = skl_str_n(rest->p + TLV_HEAD, n);
    *rest = skl_str_skip(*rest, TLV_HEAD + n);
    return 1;
}

uint64_t skl_tlv_num(const struct skl_tlv *r)
{
    return r->value.n == 8 ? get_be((const uint8_t *)r->value.p, 8) : 0;
}

bool skl_tlv_is_valid(struct skl_str payload)
{
    struct skl_tlv r;
    int rc;

    while ((rc = skl_tlv_next(&payload, &r, NULL)) > 0)
        ;
    return rc == 0;
}

bool skl_tlv_find(struct skl_str payload, enum skl_tag tag, struct skl_str *ret)
{
    struct skl_tlv r = {0};

    while (skl_tlv_next(&payload, &r, NULL) > 0)
        if (r.tag == tag) {
            *ret = r.value;
            return true;
        }
    return false;
}

uint64_t skl_tlv_find_num(struct skl_str payload, enum skl_tag tag, uint64_t dflt)
{
    struct skl_tlv r = {.tag = (uint16_t)tag};

    return skl_tlv_find(payload, tag, &r.value) && r.value.n == 8 ? skl_tlv_num(&r) : dflt;
}

char *skl_tlv_find_dup(struct skl_str payload, enum skl_tag tag)
{
    struct skl_str value;

    return skl_tlv_find(payload, tag, &value) ? skl_str_dup(value) : NULL;
}

char **skl_tlv_find_strv(struct skl_str payload, enum skl_tag tag)
{
    struct skl_str rest = payload;
    struct skl_tlv r = {0};
    char **v = NULL;
    size_t n = 0;

    while (skl_tlv_next(&rest, &r, NULL) > 0)
        n += r.tag == tag;
    if (n == 0)
        return NULL;
    v = skl_new0_n(char *, n + 1);
    for (n = 0; skl_tlv_next(&payload, &r, NULL) > 0;)
        if (r.tag == tag)
            v[n++] = skl_str_dup(r.value);
    return v;
}
