/* store_internal - what the files of store/ share; nobody else includes it, tests apart. */
#ifndef SKL_STORE_STORE_INTERNAL_H
#define SKL_STORE_STORE_INTERNAL_H

#include "base/ip.h"
#include "base/map.h"
#include "net/loop.h"
#include "store/codec.h"
#include "store/db.h"
#include "store/store.h"

/* Containers, networks and execs are allocated as these; the public part comes first. */
struct skl_container_full {
    struct skl_container c;
    int64_t seq; /* row number: the order of creation */
    struct skl_list execs;
};

/* A subnet and the addresses of it that are handed out: those from base + first to base + last. */
struct skl_pool {
    struct skl_ip base; /* n = 0: the network has none of this family */
    unsigned bits;      /* prefix length */
    uint64_t first, last;
    uint8_t *used;     /* a bit for each of the first SKL_NETWORK_MAX_ADDRESSES; made when needed */
    size_t n_used;     /* bytes in `used` */
    size_t first_free; /* no bit below this one is clear */
};

struct skl_network_full {
    struct skl_network n;
    struct skl_pool v4, v6;
};
#define SKL_NETWORK_MAX_ADDRESSES 65536u

struct skl_exec_full {
    struct skl_exec x;
    struct skl_list in_container;
    int64_t ended_ms; /* skl_mono_ms(); 0: it has not */
};

#define SKL_EXEC_KEEP_MS INT64_C(300000)

struct skl_store_turn; /* outlives the store while a deferred call is under way */

#define SKL_STORE_OBSERVERS 4

struct skl_store {
    uv_loop_t *loop;
    char *dir;
    struct skl_db *db;
    int lock_fd;
    char instance[33];
    struct skl_journal *journal;

    struct skl_list containers;
    struct skl_map containers_by_id, containers_by_name;
    size_t n_in_state[SKL_CONTAINER_MAX_];
    int64_t last_seq;
    struct {
        skl_container_observer_cb *cb; /* NULL: free */
        void *arg;
    } observers[SKL_STORE_OBSERVERS];

    struct skl_list fired; /* waiters whose answer is on its way */
    struct skl_store_turn *turn;

    struct skl_list images;
    struct skl_map images_by_id, images_by_name; /* names: refs and digests */
    struct skl_list networks;
    struct skl_map networks_by_id, networks_by_name;
    struct skl_list volumes;
    struct skl_map volumes_by_name;
    struct skl_list execs;
    struct skl_map execs_by_id;
    struct skl_timer *prune;
};

struct skl_journal *skl_journal_new(void);
void skl_journal_free(struct skl_journal *j); /* subscriptions stay valid for unsubscribe */

struct skl_container_full *skl_container_full(struct skl_container *c);
struct skl_exec_full *skl_exec_full(struct skl_exec *x);

void skl_endpoint_fini(struct skl_endpoint *e);

/* container_row.c: reading and writing the rows of containers */
int skl_container_write(struct skl_store *s, const struct skl_container *c, struct skl_error *err);
int skl_container_write_spec(struct skl_store *s, const struct skl_container *c,
                             struct skl_error *err);
int skl_container_write_health(struct skl_store *s, const struct skl_container *c,
                               const char *log_json, struct skl_error *err);
int skl_container_delete_rows(struct skl_store *s, const struct skl_container *c,
                              struct skl_error *err);
int skl_containers_load(struct skl_store *s, struct skl_error *err);
void skl_container_link(struct skl_store *s, struct skl_container *c);
void skl_container_unlink(struct skl_store *s, struct skl_container *c);

/* container_wait.c */
enum skl_wake {
    SKL_WAKE_STOPPED = 1, /* NOT_RUNNING */
    SKL_WAKE_EXITED = 2,  /* NEXT_EXIT */
    SKL_WAKE_REMOVED = 4, /* REMOVED */
};
void skl_container_wake(struct skl_store *s, struct skl_container *c, unsigned who,
                        const char *error);
void skl_waiters_orphan(struct skl_list *waiters); /* at close: left to their owners */
void skl_store_turn_close(struct skl_store *s);

int skl_images_load(struct skl_store *s, struct skl_error *err);
int skl_networks_load(struct skl_store *s, struct skl_error *err);
/* After the containers: marks the addresses of those that run. */
void skl_networks_mark(struct skl_store *s);
int skl_volumes_load(struct skl_store *s, struct skl_error *err);
int skl_execs_load(struct skl_store *s, struct skl_error *err);
void skl_execs_close(struct skl_store *s);
void skl_execs_forget(struct skl_store *s, struct skl_container *c);
/* Deletes execs that ended before `now_ms` - SKL_EXEC_KEEP_MS, points of skl_mono_ms(). */
void skl_execs_prune(struct skl_store *s, int64_t now_ms);

/* network_address.c */
int skl_network_parse(struct skl_network_full *n, struct skl_error *err);
int skl_network_pick_subnet(struct skl_store *s, struct skl_network_full *n, struct skl_error *err);
void skl_network_mark(struct skl_network_full *n, const char *ip, bool used);
bool skl_network_has_addresses(const struct skl_network_full *n, bool v6);
/* wanted: a fixed address or NULL. *ret is replaced. FORBIDDEN when it is taken, INTERNAL when it is not in the
 * subnet or none is left. */
int skl_network_take_address(struct skl_store *s, struct skl_network_full *n, bool v6,
                             const char *wanted, char **ret, struct skl_error *err);
void skl_pool_fini(struct skl_pool *p);

/* Volume events of a run; `on` mount, else unmount. */
void skl_container_mount_events(struct skl_store *s, const struct skl_container *c, bool on);

#endif
