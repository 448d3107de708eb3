/* redact - the one way in which secrets are taken out of a text before others see it: each becomes ***.
 *
 * Shape   known values (base/secrets.h), and what looks like one whoever it belongs to: bearer and basic
 *         authorization, JSON web tokens, PEM bodies, passwords in URLs, and the values of names such as
 *         client_secret, refresh_token, AccountKey or sig, in forms, JSON and headers
 * Used    by errors (base/error.h) as they are made, by every value of a log line, by conditions, and by whoever cuts
 *         a peer's text: before the cut, because half a secret is not found any more
 * Thread  any
 */
#ifndef SKL_BASE_REDACT_H
#define SKL_BASE_REDACT_H

#include "base/buf.h"

/* The first secret of the text at or after `from`: [*start, *end); false: none. */
bool skl_redact_find(struct skl_str text, size_t from, size_t *start, size_t *end);
void skl_redact_add(struct skl_buf *to, struct skl_str text); /* appends */
/* Appends at most max bytes of what a peer says. */
void skl_redact_cut(struct skl_buf *to, struct skl_str text, size_t max);
void skl_redact_text(char *text, size_t cap); /* in its place; what gets longer than cap is cut */

#endif
