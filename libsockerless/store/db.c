/* SQLite behind the store: one table, so that a new kind of object needs no new schema. The fixed part of a row is
 * written once; a transition writes the moving part alone. */
#include <sqlite3.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "store/store_internal.h"

#define SCHEMA_VERSION 1

struct skl_db {
    sqlite3 *sql;
    sqlite3_stmt *insert, *update, *remove;
    char *path;
};

static int fail(struct skl_db *db, const char *what, struct skl_error *err)
{
    int code = sqlite3_errcode(db->sql);

    skl_fail(err, SKL_E_INTERNAL, "%s '%s': %s%s", what, db->path, sqlite3_errmsg(db->sql),
             code == SQLITE_CORRUPT || code == SQLITE_NOTADB
                 ? ": restore it from a backup, or move it away to begin with an empty state"
                 : "");
    if (err)
        err->sys = code;
    return -SKL_E_INTERNAL;
}

static int exec(struct skl_db *db, const char *sql, struct skl_error *err)
{
    if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(db, "opening the state database", err);
    return 0;
}

static int schema_version(struct skl_db *db, int *ret, struct skl_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        rc = fail(db, "reading the state database", err);
    sqlite3_finalize(stmt);
    return rc;
}

static int migrate(struct skl_db *db, struct skl_error *err)
{
    int version = 0;
    int rc = schema_version(db, &version, err);

    if (rc < 0)
        return rc;
    if (version > SCHEMA_VERSION)
        return skl_fail(err, SKL_E_INTERNAL,
                        "the state database '%s' was written by a newer version", db->path);
    if (version < 1)
        rc = exec(db,
                  "BEGIN;"
                  "CREATE TABLE object (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
                  " id TEXT NOT NULL, fixed TEXT NOT NULL, moving TEXT NOT NULL,"
                  " UNIQUE (kind, id));"
                  "PRAGMA user_version = 1;"
                  "COMMIT;",
                  err);
    return rc;
}

static int prepare(struct skl_db *db, const char *sql, sqlite3_stmt **ret, struct skl_error *err)
{
    if (sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
        return fail(db, "opening the state database", err);
    return 0;
}

int skl_db_open(const char *path, struct skl_db **ret, struct skl_error *err)
{
    struct skl_db *db = skl_new0(struct skl_db);
    int rc = 0;

    db->path = skl_strdup(path);
    if (sqlite3_open_v2(path, &db->sql,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        rc = fail(db, "opening the state database", err);
    if (rc == 0)
        rc = exec(db,
                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                  "PRAGMA cache_size = -512;",
                  err);
    if (rc == 0)
        rc = migrate(db, err);
    if (rc == 0)
        rc = prepare(db, "INSERT INTO object (kind, id, fixed, moving) VALUES (?, ?, ?, ?)",
                     &db->insert, err);
    if (rc == 0)
        rc = prepare(db, "UPDATE object SET moving = ?3 WHERE kind = ?1 AND id = ?2", &db->update,
                     err);
    if (rc == 0)
        rc = prepare(db, "DELETE FROM object WHERE kind = ? AND id = ?", &db->remove, err);
    if (rc < 0) {
        skl_db_close(db);
        return rc;
    }
    *ret = db;
    return 0;
}

void skl_db_close(struct skl_db *db)
{
    if (!db)
        return;
    sqlite3_finalize(db->insert);
    sqlite3_finalize(db->update);
    sqlite3_finalize(db->remove);
    sqlite3_close(db->sql);
    free(db->path);
    free(db);
}

static int run(struct skl_db *db, sqlite3_stmt *stmt, const char *const *values, int n,
               struct skl_error *err)
{
    int rc = 0;

    for (int i = 0; i < n; i++)
        sqlite3_bind_text(stmt, i + 1, values[i], -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        rc = fail(db, "writing the state database", err);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc;
}

int skl_db_insert(struct skl_db *db, const char *kind, const char *id, const char *fixed,
                  const char *moving, struct skl_error *err)
{
    return run(db, db->insert, (const char *const[]){kind, id, fixed, moving}, 4, err);
}

int skl_db_update(struct skl_db *db, const char *kind, const char *id, const char *moving,
                  struct skl_error *err)
{
    return run(db, db->update, (const char *const[]){kind, id, moving}, 3, err);
}

int skl_db_delete(struct skl_db *db, const char *kind, const char *id, struct skl_error *err)
{
    return run(db, db->remove, (const char *const[]){kind, id}, 2, err);
}

static int give_row(sqlite3_stmt *stmt, skl_db_row_cb *cb, void *arg, struct skl_error *err)
{
    SKL_AUTO_JSON cJSON *fixed = NULL, *moving = NULL;
    const char *id = (const char *)sqlite3_column_text(stmt, 0);
    const char *a = (const char *)sqlite3_column_text(stmt, 1);
    const char *b = (const char *)sqlite3_column_text(stmt, 2);
    int rc = id && a && b ? 0 : skl_fail(err, SKL_E_INTERNAL, "a row is not complete");

    if (rc == 0)
        rc = skl_json_parse(skl_str(a), &fixed, err);
    if (rc == 0)
        rc = skl_json_parse(skl_str(b), &moving, err);
    if (rc == 0)
        rc = cb(arg, id, fixed, moving, err);
    return rc;
}

int skl_db_each(struct skl_db *db, const char *kind, skl_db_row_cb *cb, void *arg,
                struct skl_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = 0, step = SQLITE_DONE;

    if (sqlite3_prepare_v2(db->sql,
                           "SELECT id, fixed, moving FROM object WHERE kind = ? ORDER BY seq", -1,
                           &stmt, NULL) != SQLITE_OK)
        return fail(db, "reading the state database", err);
    sqlite3_bind_text(stmt, 1, kind, -1, SQLITE_STATIC);
    while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = give_row(stmt, cb, arg, err);
        if (rc < 0)
            skl_wrap(err, rc, "reading a %s from '%s'", kind, db->path);
    }
    if (rc == 0 && step != SQLITE_DONE)
        rc = fail(db, "reading the state database", err);
    sqlite3_finalize(stmt);
    return rc;
}
