/* store_internal - what the files of store/ share. */
#ifndef SKL_STORE_STORE_INTERNAL_H
#define SKL_STORE_STORE_INTERNAL_H

#include "base/json.h"
#include "base/json_read.h"
#include "base/map.h"
#include "net/loop.h"
#include "store/store.h"

struct skl_db;

struct skl_store {
    uv_loop_t *loop;
    char *dir;
    char *instance;
    int lock_fd;
    struct skl_db *db;
    struct skl_journal *journal;

    struct skl_list containers, images, networks, volumes, execs;
    struct skl_map containers_by_id, containers_by_name;
    struct skl_map networks_by_id, volumes_by_name, execs_by_id;
    size_t by_state[SKL_CONTAINER_MAX_];
    skl_container_observer_cb *observer;
    void *observer_arg;
    struct skl_timer *exec_sweep;
};

/* db.c: one table; a row is kind, id, a fixed part and a moving part, both JSON text. */
int skl_db_open(const char *path, struct skl_db **ret, struct skl_error *err);
void skl_db_close(struct skl_db *db); /* NULL is fine */
int skl_db_insert(struct skl_db *db, const char *kind, const char *id, const char *fixed,
                  const char *moving, struct skl_error *err);
int skl_db_update(struct skl_db *db, const char *kind, const char *id, const char *moving,
                  struct skl_error *err);
int skl_db_delete(struct skl_db *db, const char *kind, const char *id, struct skl_error *err);
typedef int skl_db_row_cb(void *arg, const char *id, const cJSON *fixed, const cJSON *moving,
                          struct skl_error *err);
/* In the order of insertion. */
int skl_db_each(struct skl_db *db, const char *kind, skl_db_row_cb *cb, void *arg,
                struct skl_error *err);

/* event.c */
struct skl_journal *skl_journal_new(void);
void skl_journal_free(struct skl_journal *j);

/* container_row.c */
char *skl_container_fixed_text(const struct skl_container *c);
char *skl_container_moving_text(const struct skl_container *c);
int skl_container_from_row(const char *id, const cJSON *fixed, const cJSON *moving,
                           struct skl_container **ret, struct skl_error *err);
int skl_container_persist(struct skl_store *s, const struct skl_container *c,
                          struct skl_error *err);
/* Into the maps; no event, no row. */
void skl_container_link(struct skl_store *s, struct skl_container *c);
void skl_endpoint_fini(struct skl_endpoint *e);

int skl_image_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                   struct skl_error *err);
int skl_network_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                     struct skl_error *err);
int skl_volume_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                    struct skl_error *err);
int skl_exec_load(void *store, const char *id, const cJSON *fixed, const cJSON *moving,
                  struct skl_error *err);
int skl_network_make_predefined(struct skl_store *s, struct skl_error *err);
void skl_exec_drop_all(struct skl_store *s, const char *container_id);
void skl_exec_start_sweep(struct skl_store *s);

/* JSON helpers for rows */
char *skl_row_str(const cJSON *row, const char *name);  /* owned copy, NULL if absent */
char *skl_row_text(const cJSON *row, const char *name); /* a nested value as text; NULL if absent */
void skl_row_labels(const cJSON *row, const char *name, struct skl_labels *ret);
void skl_row_add_str(struct skl_json *j, const char *name, const char *value); /* NULL: left out */
void skl_row_add_labels(struct skl_json *j, const char *name, const struct skl_labels *l);

#endif
