/* network - networks as records, and the addresses handed out in them. bridge, host and none exist
 * always. Addresses are synthetic: they name a container in answers; see docs for what reaches it. */
#ifndef SKL_STORE_NETWORK_H
#define SKL_STORE_NETWORK_H

#include "store/container.h"

struct skl_network {
    char id[65];
    char *name, *driver, *scope;
    int64_t created_ns;
    bool internal, attachable, enable_ipv6, predefined;
    char *subnet, *gateway; /* "172.18.0.0/16"; "" for host and none */
    char *ipam_json, *options_json;
    struct skl_labels labels;
    struct skl_list in_store;
};

struct skl_network *skl_network_new(void);
void skl_network_free(struct skl_network *n);
/* Full id, full name, id prefix; Docker's texts. */
int skl_network_find(struct skl_store *s, const char *ref, struct skl_network **ret,
                     struct skl_error *err);
struct skl_list *skl_network_all(struct skl_store *s);
/* Fills in subnet and gateway when empty (next free 172.x.0.0/16, then 192.168.x.0/20, 10.x.0.0/16); a
 * given subnet is IPv4. own_n is swallowed, also when this fails. Event create. */
int skl_network_add(struct skl_store *s, struct skl_network *own_n, struct skl_network **ret,
                    struct skl_error *err);
/* FORBIDDEN for predefined ones and while running containers have endpoints. Event destroy. */
int skl_network_remove(struct skl_store *s, struct skl_network *n, struct skl_error *err);

/* -- endpoints. The request members are copied. An address is given when the container runs (or now if it
 * does) and taken back when it ends; connect and disconnect are told then: what is connected to a container
 * that does not run is only noted. IPAMConfig.IPv4Address of the request is honoured when it is free. */
int skl_network_connect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                        char *const *aliases, const char *request_json, struct skl_error *err);
int skl_network_disconnect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                           struct skl_error *err);
struct skl_endpoint *skl_network_endpoint(const struct skl_network *n, struct skl_container *c);
/* Before and after a run. Their effect is written with the transition that the caller makes next; the
 * addresses of a container that does not run are not loaded. Doing it twice is harmless. */
void skl_network_assign_addresses(struct skl_store *s, struct skl_container *c);
void skl_network_release_addresses(struct skl_store *s, struct skl_container *c);

#endif
