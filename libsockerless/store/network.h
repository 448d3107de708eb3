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
    bool picked;            /* the IPv4 subnet is one of ours: nobody asked for it */
    char *subnet, *gateway; /* "172.18.0.0/16"; "" for host and none */
    char *range; /* the part of the subnet that addresses are handed out of; may be NULL */
    char *subnet6, *gateway6, *range6; /* NULL or "": none. IPv6 only goes with IPv4 */
    struct skl_labels aux;             /* addresses that are never handed out, by name */
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
/* Fills in subnet and gateways when empty (next free 172.x.0.0/16, then 192.168.x.0/20, 10.x.0.0/16).
 * own_n is swallowed, also when this fails. Event create. */
int skl_network_add(struct skl_store *s, struct skl_network *own_n, struct skl_network **ret,
                    struct skl_error *err);
/* FORBIDDEN for predefined ones and while running containers have endpoints. Event destroy. */
int skl_network_remove(struct skl_store *s, struct skl_network *n, struct skl_error *err);

/* -- endpoints. The request members are copied. Addresses are given when the container is started (or now if it
 * runs) and taken back when it ends; connect and disconnect are told then: what is connected to a container
 * that does not run is only noted, once. An address of IPAMConfig that cannot be had is a failure. */
int skl_network_connect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                        char *const *aliases, const char *request_json, struct skl_error *err);
int skl_network_disconnect(struct skl_store *s, struct skl_network *n, struct skl_container *c,
                           struct skl_error *err);
struct skl_endpoint *skl_network_endpoint(const struct skl_network *n, struct skl_container *c);
/* What an Engine says of these settings, of any container, before it looks for an address. */
int skl_network_check_request(const struct skl_network *n, char *const *aliases, const char *ip,
                              const char *ip6, struct skl_error *err);
/* Before and after a run. Their effect is written with the transition that the caller makes next; the
 * addresses of a container that does not run are not loaded. Doing it twice is harmless. When one endpoint
 * fails none is left. */
int skl_network_assign_addresses(struct skl_store *s, struct skl_container *c,
                                 struct skl_error *err);
void skl_network_release_addresses(struct skl_store *s, struct skl_container *c);

#endif
