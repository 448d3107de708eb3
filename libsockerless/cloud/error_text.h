/* error_text - what a cloud says, made fit for one line of our own. */
#ifndef SKL_CLOUD_ERROR_TEXT_H
#define SKL_CLOUD_ERROR_TEXT_H

#include "base/buf.h"

/* Appends it redacted, printable, as one line, cut after max bytes, without a full stop at the end. */
void skl_error_text_add(struct skl_buf *b, struct skl_str s, size_t max);

#endif
