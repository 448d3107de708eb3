/* workload_internal - what the files of driver/ share of a workload. */
#ifndef SKL_DRIVER_WORKLOAD_INTERNAL_H
#define SKL_DRIVER_WORKLOAD_INTERNAL_H

#include "driver/workload.h"
#include "net/loop.h"

struct skl_runtime {
    struct skl_runtime_config config;
    char *spool_dir, *layers_dir, *volumes_dir;
    struct skl_agents *agents;
};

struct skl_room_sub {
    void (*cb)(void *arg);
    void *arg;
};

/* The steps of a beginning run, in order. */
enum skl_begin_step {
    SKL_BEGIN_NONE,
    SKL_BEGIN_AWAIT_AGENT,
    SKL_BEGIN_DELIVER,
    SKL_BEGIN_STARTING
};

struct skl_workload {
    struct skl_runtime *rt;
    struct skl_container *c;
    struct skl_session *session; /* NULL: none */
    struct skl_spool *spool;     /* made on first use */
    char *instance;              /* of the session: kept for appends while it lives */
    unsigned hello_run;          /* what the agent said at its newest HELLO */
    int hello_pid;

    enum skl_begin_step step;
    skl_begin_cb *begin_cb;
    void *begin_arg;
    struct skl_delivery *delivery; /* staged archives on their way */

    struct skl_content_mark *marks; /* of each mount: what the workload has; NULL: not known */
    struct skl_fetch *fetch;        /* the run is over, its volumes are being fetched */
    uint16_t *ports;                /* published by the run that begins, or goes on */
    size_t n_ports;

    struct skl_buf stdin_waiting; /* sent before the command ran, or beyond the agent's credit */
    bool stdin_ended;
    struct skl_room_sub *room_subs;
    size_t n_room_subs;

    struct skl_timer *grace; /* the agent is away */
    struct skl_timer *record_again;
    bool unrecorded_told;
    struct skl_end
        unrecorded; /* how the run ended; the store could not take it yet. Its error is owned */
    uint64_t unconfirmed; /* spooled while the spool was full: confirm when there is room */
    bool confirm_later;
};

/* staging.c: archives for a container that has no agent yet, as files beside the spool; and the layers of a built image,
 * which go first, and to each new workload again. */
typedef void skl_delivery_cb(void *arg, const struct skl_error *err);
/* NULL when nothing is to be sent (the callback does not run). Staged files are deleted as they arrive. */
struct skl_delivery *skl_delivery_start(struct skl_workload *w, skl_delivery_cb *cb, void *arg);
void skl_delivery_cancel(struct skl_delivery **d); /* NULL is fine */
int skl_staging_put(struct skl_workload *w, const struct skl_put_options *options,
                    const struct skl_put_events *events, void *arg, struct skl_sink **ret,
                    struct skl_error *err);
void skl_staging_delete(struct skl_workload *w);

/* volume_content.c */
struct skl_content_mark {
    uint64_t inode;
    int64_t mtime_ns;
};
/* The next mount, from `from` on, whose content is to be delivered before the command; n_mounts: none. */
size_t skl_content_next_due(struct skl_workload *w, size_t from);
int skl_content_open(struct skl_workload *w, size_t mount, struct skl_error *err);
void skl_content_delivered(struct skl_workload *w, size_t mount);
/* Something of this container's volumes is fetched when it ends. */
bool skl_content_is_kept(const struct skl_container *c);
/* false: nothing is to be fetched. Else `w->fetch` is set until skl_workload_ended() is called with `end`, whose error then
 * says what could not be had. */
bool skl_content_fetch(struct skl_workload *w, const struct skl_end *end);
/* The agent will not answer any more: skl_workload_ended() is called now. */
void skl_content_give_up(struct skl_workload *w);
void skl_content_cancel(struct skl_workload *w); /* without a word; NULL is fine */

/* Sources and sinks of the drivers. The implementation frees what it embeds them in. */
struct skl_source {
    void (*consumed)(struct skl_source *s, size_t n);
    void (*cancel)(struct skl_source *s);
};
struct skl_sink {
    size_t (*credit)(const struct skl_sink *s);
    void (*data)(struct skl_sink *s, struct skl_str data);
    void (*end)(struct skl_sink *s);
    void (*cancel)(struct skl_sink *s);
};

#endif
