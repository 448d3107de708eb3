/* address - what a listener binds to and a stream connects to.
 *
 * Shape   "unix:///path", "tcp://host:port", "host:port", ":port", "[::1]:port", "fd://N" (inherited)
 */
#ifndef SKL_NET_ADDRESS_H
#define SKL_NET_ADDRESS_H

#include <stdbool.h>

#include "base/error.h"

enum skl_address_kind { SKL_ADDRESS_UNIX, SKL_ADDRESS_TCP, SKL_ADDRESS_FD };

struct skl_address {
    enum skl_address_kind kind;
    char path[108]; /* unix */
    char host[256]; /* "" = all; without brackets */
    int port;       /* 0 = any free one */
    int fd;
};

int skl_address_parse(const char *text, int default_port, struct skl_address *ret,
                      struct skl_error *err);
bool skl_address_is_loopback(
    const struct skl_address *a); /* unix counts; names other than localhost do not */
/* "tcp://127.0.0.1:2375", "unix:///run/x.sock" */
void skl_address_format(const struct skl_address *a, char *out, size_t cap);

#endif
