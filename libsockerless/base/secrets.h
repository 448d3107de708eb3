/* secrets - the values that must not be shown, as far as this process knows them: base/redact.h takes them out of texts.
 *
 * Shape   each is looked for as it is, percent-encoded (forms, URLs) and as JSON writes it
 * Rule    a secret is told here where it comes in: a setting, a header, an answer of an authority, a token that we
 *         make. Never what a user's container is given (its environment): that is shown to its owner, and a common
 *         word in it would blank every line that has the word
 * Limits  values of less than SKL_SECRET_MIN bytes are not taken: too much else would look like them.
 *         SKL_SECRETS_RECENT that were given up are still known: an answer that quotes one may come late
 * Owns    copies, wiped when they go
 * Thread  any
 */
#ifndef SKL_BASE_SECRETS_H
#define SKL_BASE_SECRETS_H

#include "base/str.h"

#define SKL_SECRET_MIN     8
#define SKL_SECRETS_RECENT 2048

/* Counted: as many removals as additions. NULL is fine for all three. */
void skl_secret_add(const char *value);
void skl_secret_remove(const char *value);
/* What nobody will remove (a client's password): known until SKL_SECRETS_RECENT others have come. */
void skl_secret_seen(const char *value);

/* How many bytes at the beginning of the text are a secret, 0: none. A text that ends within one counts. */
size_t skl_secret_at(struct skl_str text);

#endif
