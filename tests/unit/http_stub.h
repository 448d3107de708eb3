/* http_stub - a scripted HTTP/1.1 server on a loopback port, for tests of clients.
 *
 * Shape   rules are looked at in order; the first whose method, target prefix and remaining uses fit
 *         answers. "$SELF" in headers and bodies is the server's own URL. No rule: 599
 * Thread  one thread of its own; every call is safe from the test's thread
 */
#ifndef TESTS_UNIT_HTTP_STUB_H
#define TESTS_UNIT_HTTP_STUB_H

#include <stdbool.h>
#include <stddef.h>

#define STUB_DROP  (-1) /* status: close without an answer */
#define STUB_STALL (-2) /* status: never answer */

struct stub;
struct stub *stub_new(void);
void stub_free(struct stub *s);
const char *stub_url(const struct stub *s); /* http://127.0.0.1:PORT */
int stub_port(const struct stub *s);

/* uses 0: for ever. method NULL: any. headers: lines ended by \r\n, or NULL. body NULL: none. */
void stub_rule(struct stub *s, const char *method, const char *target, int uses, int status,
               const char *headers, const char *body);
void stub_clear(struct stub *s); /* forgets rules and requests */

size_t stub_count(struct stub *s, const char *method, const char *target_prefix);
/* Head and body of the n-th matching request as they came; valid until stub_clear(); "" if none. */
const char *stub_request(struct stub *s, const char *method, const char *target_prefix, size_t n);
size_t stub_connections(struct stub *s);

/* A loopback port on which nobody listens. */
int stub_dead_port(void);

#endif
