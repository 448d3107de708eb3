/* base64, percent encoding, query strings, times, numbers: decode(encode(x)) == x, print(parse(x)) parses
 * the same again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_round_trips(struct skl_str s)
{
    SKL_AUTO_BUF struct skl_buf text = {0}, back = {0};

    skl_buf_init(&text, 1u << 20);
    skl_buf_init(&back, 1u << 20);
    skl_base64_add(&text, s.p, s.n);
    SKL_ASSERT(skl_base64_decode(&back, skl_buf_str(&text)) && skl_str_eq(skl_buf_str(&back), s));
    skl_buf_reset(&text);
    skl_buf_reset(&back);
    skl_base64url_add(&text, s.p, s.n);
    SKL_ASSERT(skl_base64_decode(&back, skl_buf_str(&text)) && skl_str_eq(skl_buf_str(&back), s));
    skl_buf_reset(&text);
    skl_buf_reset(&back);
    skl_url_encode(&text, s);
    skl_url_decode(&back, skl_buf_str(&text), true);
    SKL_ASSERT(skl_str_eq(skl_buf_str(&back), s));
}

static void check_decoding(struct skl_str s)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_str rest = s, key, value;

    skl_buf_init(&b, 1u << 20);
    if (skl_base64_decode(&b, s))
        SKL_ASSERT(b.n <= s.n / 4 * 3 + 2);
    skl_buf_reset(&b);
    skl_url_decode(&b, s, false);
    SKL_ASSERT(b.n <= s.n);
    while (skl_query_next(&rest, &key, &value))
        SKL_ASSERT(key.n + value.n <= s.n);
}

static void check_times_and_numbers(struct skl_str s)
{
    char text[SKL_TIME_LEN];
    int64_t ns, again, i;
    uint64_t u, u_again;

    if (skl_time_parse(s, &ns)) {
        skl_time_format(ns, text);
        SKL_ASSERT(skl_time_parse(skl_str(text), &again) && again == ns);
        skl_time_format_fixed(ns, text);
        SKL_ASSERT(ns == 0 || (skl_time_parse(skl_str(text), &again) && again == ns));
    }
    if (skl_str_u64(s, &u)) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)u);
        SKL_ASSERT(skl_str_u64(skl_str(text), &u_again) && u_again == u);
    }
    if (skl_str_i64(s, &i)) {
        snprintf(text, sizeof(text), "%lld", (long long)i);
        SKL_ASSERT(skl_str_i64(skl_str(text), &again) && again == i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skl_str s = skl_str_n((const char *)data, n);

    if (n > 65536)
        return 0;
    check_round_trips(s);
    check_decoding(s);
    check_times_and_numbers(s);
    return 0;
}
