/* db - the SQLite file behind the store: opening, migrations, kept statements, transactions.
 *
 * Shape   container rows are in three tables, so that a transition writes a short row: `container` (what
 *         happens to it), `container_spec` (what create asked for) and `container_health`. All other
 *         objects are one JSON text per key.
 * Errors  INTERNAL with a sentence that names the file; what was open is rolled back
 * Thread  loop thread
 */
#ifndef SKL_STORE_DB_H
#define SKL_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct skl_db;

#define SKL_DB_TABLES(X) X(IMAGE, image) X(NETWORK, network) X(VOLUME, volume) X(EXEC, exec)

enum skl_db_table {
#define X(name, sql) SKL_DB_##name,
    SKL_DB_TABLES(X)
#undef X
        SKL_DB_TABLE_MAX_
};

enum skl_db_sql {
#define X(name, sql) SKL_SQL_##name##_PUT, SKL_SQL_##name##_DELETE, SKL_SQL_##name##_ALL,
    SKL_DB_TABLES(X)
#undef X
        SKL_SQL_CONTAINER_PUT,
    SKL_SQL_CONTAINER_DELETE,
    SKL_SQL_CONTAINER_ALL,
    SKL_SQL_SPEC_PUT,
    SKL_SQL_SPEC_DELETE,
    SKL_SQL_HEALTH_PUT,
    SKL_SQL_HEALTH_DELETE,
    SKL_SQL_EXECS_DELETE,
    SKL_SQL_META_PUT,
    SKL_SQL_META_GET,
    SKL_SQL_BEGIN,
    SKL_SQL_COMMIT,
    SKL_SQL_ROLLBACK,
    SKL_SQL_MAX_
};

/* path ":memory:" keeps nothing. */
int skl_db_open(const char *path, struct skl_db **ret, struct skl_error *err);
void skl_db_close(struct skl_db *db); /* NULL is fine */

/* -- transactions. A failed write inside one leaves it to skl_db_end() to roll back. */
int skl_db_begin(struct skl_db *db, struct skl_error *err);
/* Commits when rc is 0, else rolls back; returns rc or the failure of the commit. */
int skl_db_end(struct skl_db *db, int rc, struct skl_error *err);

/* -- statements: bind, then run. Bound text must live until the run. */
sqlite3_stmt *skl_db_stmt(struct skl_db *db, enum skl_db_sql which);
void skl_db_bind_text(sqlite3_stmt *stmt, int at, const char *text); /* NULL: SQL NULL */
int skl_db_run(struct skl_db *db, sqlite3_stmt *stmt, struct skl_error *err);
/* 1: a row, 0: the end (the statement is reset), or an error (reset too). */
int skl_db_row(struct skl_db *db, sqlite3_stmt *stmt, struct skl_error *err);
const char *skl_db_column(sqlite3_stmt *stmt, int at); /* "" for SQL NULL */

/* -- objects that are one JSON text */
/* owner: the container of an exec, NULL else. */
int skl_db_put(struct skl_db *db, enum skl_db_table table, const char *key, const char *owner,
               const char *body, struct skl_error *err);
int skl_db_delete(struct skl_db *db, enum skl_db_table table, const char *key,
                  struct skl_error *err);
typedef int skl_db_each_cb(void *arg, const char *key, const char *body, struct skl_error *err);
/* In the order in which they were added; ends at the first failure of cb. */
int skl_db_each(struct skl_db *db, enum skl_db_table table, skl_db_each_cb *cb, void *arg,
                struct skl_error *err);
/* "state database 'PATH' holds a row that cannot be read (TABLE KEY): why; what to do" */
int skl_db_fail_row(struct skl_db *db, const char *table, const char *key, struct skl_error *err);

#endif
