/* encode - hex, base64, percent encoding and query strings. */
#ifndef SKL_BASE_ENCODE_H
#define SKL_BASE_ENCODE_H

#include "base/buf.h"

void skl_hex_add(struct skl_buf *b, const void *p, size_t n);
void skl_base64_add(struct skl_buf *b, const void *p, size_t n);    /* standard, padded */
void skl_base64url_add(struct skl_buf *b, const void *p, size_t n); /* URL alphabet, no padding */
/* Takes both alphabets, padding optional; false if it is neither. Appends to b. */
bool skl_base64_decode(struct skl_buf *b, struct skl_str s);

/* All outside A-Z a-z 0-9 - . _ ~ becomes %XX. */
void skl_url_encode(struct skl_buf *b, struct skl_str s);
/* Appends the decoded bytes; '+' is a space when plus_is_space. A broken %-sequence stays as it is. */
void skl_url_decode(struct skl_buf *b, struct skl_str s, bool plus_is_space);

/* Walks "a=1&b=2": false at the end. key and value are still encoded. */
bool skl_query_next(struct skl_str *rest, struct skl_str *key, struct skl_str *value);

#endif
