/* id - random identifiers. */
#ifndef SKL_BASE_ID_H
#define SKL_BASE_ID_H

#include <stddef.h>

#include "base/str.h"

#define SKL_ID_LEN 64 /* hex digits of a Docker id */

void skl_random(void *p, size_t n);            /* from the kernel; ends the process if it fails */
void skl_random_hex(char *out, size_t digits); /* out: digits + 1 bytes */
void skl_uuid4(char out[37]);
bool skl_is_hex(struct skl_str s); /* lower case, not empty */

#endif
