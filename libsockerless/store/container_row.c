/* Rows of containers. Writing takes a container as it shall become, so that a caller writes first and changes
 * memory after that: when the disk says no, nothing has happened. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/id.h"
#include "store/store_internal.h"

int skl_container_write(struct skl_store *s, const struct skl_container *c, struct skl_error *err)
{
    const struct skl_container_full *full = (const struct skl_container_full *)(const void *)c;
    sqlite3_stmt *stmt = skl_db_stmt(s->db, SKL_SQL_CONTAINER_PUT);
    char *cloud SKL_AUTO_STR = NULL;
    char *endpoints SKL_AUTO_STR = NULL;
    int rc = skl_labels_encode(&c->cloud, &cloud, err);

    if (rc == 0)
        rc = skl_endpoints_encode(c, &endpoints, err);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(stmt, 1, full->seq);
    skl_db_bind_text(stmt, 2, c->id);
    skl_db_bind_text(stmt, 3, c->name);
    sqlite3_bind_int64(stmt, 4, c->created_ns);
    sqlite3_bind_int(stmt, 5, (int)c->state);
    sqlite3_bind_int(stmt, 6, c->pid);
    sqlite3_bind_int(stmt, 7, c->exit_code);
    sqlite3_bind_int(stmt, 8, c->oom_killed);
    sqlite3_bind_int(stmt, 9, c->manual_stop);
    sqlite3_bind_int(stmt, 10, c->has_run);
    skl_db_bind_text(stmt, 11, c->error);
    sqlite3_bind_int64(stmt, 12, c->started_ns);
    sqlite3_bind_int64(stmt, 13, c->finished_ns);
    sqlite3_bind_int64(stmt, 14, c->restart_count);
    sqlite3_bind_int64(stmt, 15, c->run);
    sqlite3_bind_int(stmt, 16, (int)c->end_rank);
    sqlite3_bind_int(stmt, 17, (int)c->health);
    sqlite3_bind_int64(stmt, 18, c->health_streak);
    skl_db_bind_text(stmt, 19, c->token);
    skl_db_bind_text(stmt, 20, c->agent_address);
    skl_db_bind_text(stmt, 21, cloud);
    skl_db_bind_text(stmt, 22, endpoints);
    skl_db_bind_text(stmt, 23, c->published_json);
    return skl_db_run(s->db, stmt, err);
}

int skl_container_write_spec(struct skl_store *s, const struct skl_container *c,
                             struct skl_error *err)
{
    const struct skl_container_full *full = (const struct skl_container_full *)(const void *)c;
    sqlite3_stmt *stmt = skl_db_stmt(s->db, SKL_SQL_SPEC_PUT);
    char *body SKL_AUTO_STR = NULL;
    int rc = skl_spec_encode(&c->spec, &body, err);

    if (rc < 0)
        return rc;
    sqlite3_bind_int64(stmt, 1, full->seq);
    skl_db_bind_text(stmt, 2, body);
    return skl_db_run(s->db, stmt, err);
}

int skl_container_write_health(struct skl_store *s, const struct skl_container *c,
                               const char *log_json, struct skl_error *err)
{
    const struct skl_container_full *full = (const struct skl_container_full *)(const void *)c;
    sqlite3_stmt *stmt = skl_db_stmt(s->db, log_json ? SKL_SQL_HEALTH_PUT : SKL_SQL_HEALTH_DELETE);

    sqlite3_bind_int64(stmt, 1, full->seq);
    if (log_json)
        skl_db_bind_text(stmt, 2, log_json);
    return skl_db_run(s->db, stmt, err);
}

int skl_container_delete_rows(struct skl_store *s, const struct skl_container *c,
                              struct skl_error *err)
{
    static const enum skl_db_sql by_seq[] = {SKL_SQL_CONTAINER_DELETE, SKL_SQL_SPEC_DELETE,
                                             SKL_SQL_HEALTH_DELETE};
    const struct skl_container_full *full = (const struct skl_container_full *)(const void *)c;
    sqlite3_stmt *stmt;
    int rc = skl_db_begin(s->db, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < SKL_ARRAY_LEN(by_seq); i++) {
        stmt = skl_db_stmt(s->db, by_seq[i]);
        sqlite3_bind_int64(stmt, 1, full->seq);
        rc = skl_db_run(s->db, stmt, err);
    }
    if (rc == 0) {
        stmt = skl_db_stmt(s->db, SKL_SQL_EXECS_DELETE);
        skl_db_bind_text(stmt, 1, c->id);
        rc = skl_db_run(s->db, stmt, err);
    }
    return skl_db_end(s->db, rc, err);
}

void skl_container_link(struct skl_store *s, struct skl_container *c)
{
    skl_list_push(&s->containers, &c->in_store);
    skl_map_set(&s->containers_by_id, skl_str(c->id), c);
    skl_map_set(&s->containers_by_name, skl_str(c->name), c);
    s->n_in_state[c->state]++;
}

void skl_container_unlink(struct skl_store *s, struct skl_container *c)
{
    s->n_in_state[c->state]--;
    skl_map_remove(&s->containers_by_id, skl_str(c->id));
    skl_map_remove(&s->containers_by_name, skl_str(c->name));
    skl_list_remove(&c->in_store);
}

/* A NULL column is a NULL member. */
static char *column_dup(sqlite3_stmt *stmt, int at)
{
    return sqlite3_column_type(stmt, at) == SQLITE_NULL ? NULL
                                                        : skl_strdup(skl_db_column(stmt, at));
}

static void read_numbers(sqlite3_stmt *stmt, struct skl_container *c)
{
    int state = sqlite3_column_int(stmt, 4), rank = sqlite3_column_int(stmt, 15),
        health = sqlite3_column_int(stmt, 16);

    c->created_ns = sqlite3_column_int64(stmt, 3);
    c->state = state >= 0 && state < SKL_CONTAINER_MAX_ ? (enum skl_container_state)state
                                                        : SKL_CONTAINER_DEAD;
    c->pid = sqlite3_column_int(stmt, 5);
    c->exit_code = sqlite3_column_int(stmt, 6);
    c->oom_killed = sqlite3_column_int(stmt, 7) != 0;
    c->manual_stop = sqlite3_column_int(stmt, 8) != 0;
    c->has_run = sqlite3_column_int(stmt, 9) != 0;
    c->started_ns = sqlite3_column_int64(stmt, 11);
    c->finished_ns = sqlite3_column_int64(stmt, 12);
    c->restart_count = (unsigned)sqlite3_column_int64(stmt, 13);
    c->run = (unsigned)sqlite3_column_int64(stmt, 14);
    c->end_rank = rank >= 0 && rank <= SKL_END_AGENT ? (enum skl_end_rank)rank : SKL_END_NONE;
    c->health =
        health >= 0 && health <= SKL_HEALTH_UNHEALTHY ? (enum skl_health)health : SKL_HEALTH_NONE;
    c->health_streak = (unsigned)sqlite3_column_int64(stmt, 17);
}

static int read_row(struct skl_store *s, sqlite3_stmt *stmt, struct skl_error *err)
{
    struct skl_container *c = skl_container_new();
    struct skl_str id = skl_str(skl_db_column(stmt, 1));
    int rc = 0;

    skl_container_full(c)->seq = sqlite3_column_int64(stmt, 0);
    snprintf(c->id, sizeof(c->id), "%s", id.p);
    skl_strset(&c->name, skl_db_column(stmt, 2));
    read_numbers(stmt, c);
    skl_strset(&c->error, skl_db_column(stmt, 10));
    c->token = column_dup(stmt, 18);
    c->agent_address = column_dup(stmt, 19);
    if (id.n != SKL_ID_LEN || !skl_is_hex(id) || skl_container_by_id(s, c->id) ||
        skl_container_by_name(s, c->name))
        rc = skl_fail(err, SKL_E_INTERNAL, "the id or name is no valid one or is there twice");
    if (rc == 0)
        rc = skl_labels_decode(skl_str(skl_db_column(stmt, 20)), &c->cloud, err);
    if (rc == 0)
        rc = skl_endpoints_decode(skl_str(skl_db_column(stmt, 21)), c, err);
    if (rc == 0)
        rc = skl_spec_decode(skl_str(skl_db_column(stmt, 22)), &c->spec, err);
    if (rc < 0) {
        skl_container_free(c);
        return rc;
    }
    c->health_log_json = column_dup(stmt, 23);
    c->published_json = column_dup(stmt, 24);
    if (skl_container_full(c)->seq > s->last_seq)
        s->last_seq = skl_container_full(c)->seq;
    skl_container_link(s, c);
    return 0;
}

int skl_containers_load(struct skl_store *s, struct skl_error *err)
{
    sqlite3_stmt *stmt = skl_db_stmt(s->db, SKL_SQL_CONTAINER_ALL);
    int rc;

    while ((rc = skl_db_row(s->db, stmt, err)) > 0) {
        rc = read_row(s, stmt, err);
        if (rc < 0) {
            skl_db_fail_row(s->db, "container", skl_db_column(stmt, 1), err);
            sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc;
}
