/* The database.
 *
 * Problem   a transition must be on disk before its client hears of it, and must cost tens of microseconds
 * Approach  WAL with synchronous=NORMAL: a commit is one append to the log without fsync. It survives the end
 *           of the process in any way; a power cut may lose the newest commits, never the order or the file.
 *           All statements are prepared once.
 * Rejected  synchronous=FULL: an fsync per transition (milliseconds) on the loop thread, for a machine
 *           whose agents and cloud would tell us the same again after a power cut.
 */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/str.h"
#include "store/store_metrics.h"

struct skl_db {
    sqlite3 *sqlite;
    char *path;
    sqlite3_stmt *stmts[SKL_SQL_MAX_];
};

/* Entry n brings a database of version n to version n + 1. Entries are never changed, only added. */
static const char *const migrations[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE container(seq INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL,"
    " created_ns INTEGER NOT NULL, state INTEGER NOT NULL, pid INTEGER NOT NULL,"
    " exit_code INTEGER NOT NULL, oom_killed INTEGER NOT NULL, manual_stop INTEGER NOT NULL,"
    " has_run INTEGER NOT NULL, error TEXT, started_ns INTEGER NOT NULL,"
    " finished_ns INTEGER NOT NULL, restart_count INTEGER NOT NULL, run INTEGER NOT NULL,"
    " end_rank INTEGER NOT NULL, health INTEGER NOT NULL, health_streak INTEGER NOT NULL,"
    " token TEXT, agent_address TEXT, cloud TEXT, endpoints TEXT);"
    "CREATE TABLE container_spec(seq INTEGER PRIMARY KEY, body TEXT NOT NULL);"
    "CREATE TABLE container_health(seq INTEGER PRIMARY KEY, log TEXT NOT NULL);"
    "CREATE TABLE image(seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, owner TEXT,"
    " body TEXT NOT NULL);"
    "CREATE TABLE network(seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, owner TEXT,"
    " body TEXT NOT NULL);"
    "CREATE TABLE volume(seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, owner TEXT,"
    " body TEXT NOT NULL);"
    "CREATE TABLE exec(seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, owner TEXT,"
    " body TEXT NOT NULL);"
    "CREATE INDEX exec_owner ON exec(owner);",
    "ALTER TABLE container ADD COLUMN published TEXT;",
};

static const char *const sql[] = {
#define X(name, table)                                                                             \
    [SKL_SQL_##name##_PUT] = "INSERT INTO " #table "(key, owner, body) VALUES(?1, ?2, ?3)"         \
                             " ON CONFLICT(key) DO UPDATE SET body = excluded.body",               \
    [SKL_SQL_##name##_DELETE] = "DELETE FROM " #table " WHERE key = ?1",                           \
    [SKL_SQL_##name##_ALL] = "SELECT key, body FROM " #table " ORDER BY seq",
    SKL_DB_TABLES(X)
#undef X
        [SKL_SQL_CONTAINER_PUT] =
            "REPLACE INTO container VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
            " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
    [SKL_SQL_CONTAINER_DELETE] = "DELETE FROM container WHERE seq = ?1",
    [SKL_SQL_CONTAINER_ALL] =
        "SELECT c.seq, id, name, created_ns, state, pid, exit_code, oom_killed, manual_stop,"
        " has_run, error, started_ns, finished_ns, restart_count, run, end_rank, health,"
        " health_streak, token, agent_address, cloud, endpoints, s.body, h.log, published FROM "
        "container c"
        " JOIN container_spec s ON s.seq = c.seq LEFT JOIN container_health h ON h.seq = c.seq"
        " ORDER BY c.seq",
    [SKL_SQL_SPEC_PUT] = "REPLACE INTO container_spec VALUES(?1, ?2)",
    [SKL_SQL_SPEC_DELETE] = "DELETE FROM container_spec WHERE seq = ?1",
    [SKL_SQL_HEALTH_PUT] = "REPLACE INTO container_health VALUES(?1, ?2)",
    [SKL_SQL_HEALTH_DELETE] = "DELETE FROM container_health WHERE seq = ?1",
    [SKL_SQL_EXECS_DELETE] = "DELETE FROM exec WHERE owner = ?1",
    [SKL_SQL_META_PUT] = "REPLACE INTO meta VALUES(?1, ?2)",
    [SKL_SQL_META_GET] = "SELECT value FROM meta WHERE name = ?1",
    [SKL_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SKL_SQL_COMMIT] = "COMMIT",
    [SKL_SQL_ROLLBACK] = "ROLLBACK",
};
_Static_assert(SKL_ARRAY_LEN(sql) == SKL_SQL_MAX_, "every statement has its text");

static int fail_with(const struct skl_db *db, int code, struct skl_error *err)
{
    const char *what = sqlite3_errstr(code);
    int primary = code & 0xff;

    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
        return skl_fail(err, SKL_E_INTERNAL,
                        "the state database '%s' is damaged (%s): restore a copy of it, or move it "
                        "and its -wal away to begin with an empty state",
                        db->path, what);
    if (primary == SQLITE_FULL)
        return skl_fail(err, SKL_E_INTERNAL,
                        "the state database '%s' cannot grow (%s): nothing was changed; make room "
                        "on that disk",
                        db->path, what);
    if (primary == SQLITE_READONLY || primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)
        return skl_fail(err, SKL_E_INTERNAL,
                        "the state database '%s' cannot be written (%s): nothing was changed; its "
                        "file system must be well and writable",
                        db->path, what);
    return skl_fail(err, SKL_E_INTERNAL, "the state database '%s': %s", db->path, what);
}

static int db_fail(const struct skl_db *db, int code, struct skl_error *err)
{
    struct skl_error own;

    if (!err)
        err = &own;
    fail_with(db, code, err);
    skl_metric_add(&skl_db_failures, 1);
    skl_condition_report(&skl_db_condition, false, "%s", err->msg);
    return -SKL_E_INTERNAL;
}

int skl_db_fail_row(struct skl_db *db, const char *table, const char *key, struct skl_error *err)
{
    char why[sizeof(((struct skl_error *)NULL)->msg)];

    snprintf(why, sizeof(why), "%s", err ? err->msg : "");
    return skl_fail(
        err, SKL_E_INTERNAL,
        "the state database '%s' is damaged (table %s, row %.64s: %.160s): restore a copy "
        "of it, delete that row, or move the file away to begin with an empty state",
        db->path, table, key, why);
}

static int exec_sql(struct skl_db *db, const char *text, struct skl_error *err)
{
    int code = sqlite3_exec(db->sqlite, text, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : db_fail(db, sqlite3_extended_errcode(db->sqlite), err);
}

static int user_version(struct skl_db *db, int *ret, struct skl_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, "PRAGMA user_version", -1, &stmt, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return code == SQLITE_ROW ? 0 : db_fail(db, code, err);
}

static int migrate(struct skl_db *db, struct skl_error *err)
{
    const int newest = (int)SKL_ARRAY_LEN(migrations);
    char pragma[64];
    int version = 0;
    int rc = user_version(db, &version, err);

    if (rc < 0)
        return rc;
    if (version < 0 || version > newest)
        return skl_fail(err, SKL_E_INTERNAL,
                        "the state database '%s' has schema %d, this program knows %d: it was "
                        "written by a newer version",
                        db->path, version, newest);
    while (version < newest) {
        snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version + 1);
        rc = exec_sql(db, "BEGIN IMMEDIATE", err);
        if (rc < 0)
            return rc;
        rc = exec_sql(db, migrations[version], err);
        if (rc == 0)
            rc = exec_sql(db, pragma, err);
        if (rc == 0)
            rc = exec_sql(db, "COMMIT", err);
        if (rc < 0) {
            (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL); /* may be done already */
            return rc;
        }
        version++;
    }
    return 0;
}

static int prepare_all(struct skl_db *db, struct skl_error *err)
{
    for (size_t i = 0; i < SKL_SQL_MAX_; i++) {
        int code = sqlite3_prepare_v3(db->sqlite, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &db->stmts[i], NULL);

        if (code != SQLITE_OK)
            return db_fail(db, sqlite3_extended_errcode(db->sqlite), err);
    }
    return 0;
}

/* SQLite gives its -wal and -shm files the mode of the main file, which holds tokens in clear. */
static int make_private(const char *path, struct skl_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return skl_fail_errno(err, errno, "the state database '%s'", path);
    if (fchmod(fd, 0600) < 0) {
        int errnum = errno;

        close(fd);
        return skl_fail_errno(err, errnum, "the state database '%s'", path);
    }
    close(fd);
    return 0;
}

/* Everything is done but the commit. */
static int half_written(void *arg SKL_UNUSED)
{
    skl_fault_point("store.half", NULL);
    return 0;
}

int skl_db_open(const char *path, struct skl_db **ret, struct skl_error *err)
{
    const bool in_memory = skl_streq(path, ":memory:");
    struct skl_db *db;
    int code, rc = in_memory ? 0 : make_private(path, err);

    if (rc < 0)
        return rc;
    db = skl_new0(struct skl_db);
    db->path = skl_strdup(path);
    code = sqlite3_open_v2(path, &db->sqlite,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        rc = db_fail(db, code, err);
    if (rc == 0) {
        sqlite3_extended_result_codes(db->sqlite, 1);
        /* An operator may look into the file while we run; wait for that a little. */
        sqlite3_busy_timeout(db->sqlite, 2000);
        rc = exec_sql(db,
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                      "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256;"
                      "PRAGMA journal_size_limit = 16777216; PRAGMA trusted_schema = OFF",
                      err);
    }
    if (rc == 0)
        rc = migrate(db, err);
    if (rc == 0)
        rc = prepare_all(db, err);
    if (rc == 0)
        sqlite3_commit_hook(db->sqlite, half_written, NULL);
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
    for (size_t i = 0; i < SKL_SQL_MAX_; i++)
        sqlite3_finalize(db->stmts[i]);
    sqlite3_close(db->sqlite);
    free(db->path);
    free(db);
}

sqlite3_stmt *skl_db_stmt(struct skl_db *db, enum skl_db_sql which)
{
    return db->stmts[which];
}

void skl_db_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    if (text)
        sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(stmt, at);
}

int skl_db_row(struct skl_db *db, sqlite3_stmt *stmt, struct skl_error *err)
{
    int code = sqlite3_step(stmt);

    if (code == SQLITE_ROW)
        return 1;
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return code == SQLITE_DONE ? 0 : db_fail(db, code, err);
}

int skl_db_run(struct skl_db *db, sqlite3_stmt *stmt, struct skl_error *err)
{
    int64_t begun_us = skl_mono_us();
    int rc = skl_db_row(db, stmt, err);

    SKL_ASSERT(rc <= 0);
    skl_metric_observe(&skl_db_statements, skl_mono_us() - begun_us);
    if (rc == 0)
        skl_condition_report(&skl_db_condition, true, NULL);
    skl_fault_point(sqlite3_get_autocommit(db->sqlite) ? "store.whole" : "store.part", NULL);
    return rc;
}

const char *skl_db_column(sqlite3_stmt *stmt, int at)
{
    const unsigned char *text = sqlite3_column_text(stmt, at);

    return text ? (const char *)text : "";
}

int skl_db_begin(struct skl_db *db, struct skl_error *err)
{
    return skl_db_run(db, db->stmts[SKL_SQL_BEGIN], err);
}

int skl_db_end(struct skl_db *db, int rc, struct skl_error *err)
{
    if (rc == 0)
        rc = skl_db_run(db, db->stmts[SKL_SQL_COMMIT], err);
    /* Some failures (a full disk) roll back by themselves. */
    if (rc < 0 && !sqlite3_get_autocommit(db->sqlite))
        (void)skl_db_run(db, db->stmts[SKL_SQL_ROLLBACK], NULL); /* the first failure is told */
    return rc;
}

static enum skl_db_sql of_table(enum skl_db_table table, enum skl_db_sql image_form)
{
    return (enum skl_db_sql)((unsigned)image_form + 3u * (unsigned)table);
}
_Static_assert(SKL_SQL_NETWORK_PUT == SKL_SQL_IMAGE_PUT + 3, "three statements per table");

int skl_db_put(struct skl_db *db, enum skl_db_table table, const char *key, const char *owner,
               const char *body, struct skl_error *err)
{
    sqlite3_stmt *stmt = db->stmts[of_table(table, SKL_SQL_IMAGE_PUT)];

    skl_db_bind_text(stmt, 1, key);
    skl_db_bind_text(stmt, 2, owner);
    skl_db_bind_text(stmt, 3, body);
    return skl_db_run(db, stmt, err);
}

int skl_db_delete(struct skl_db *db, enum skl_db_table table, const char *key,
                  struct skl_error *err)
{
    sqlite3_stmt *stmt = db->stmts[of_table(table, SKL_SQL_IMAGE_DELETE)];

    skl_db_bind_text(stmt, 1, key);
    return skl_db_run(db, stmt, err);
}

int skl_db_each(struct skl_db *db, enum skl_db_table table, skl_db_each_cb *cb, void *arg,
                struct skl_error *err)
{
    static const char *const names[] = {
#define X(name, sql_name) #sql_name,
        SKL_DB_TABLES(X)
#undef X
    };
    sqlite3_stmt *stmt = db->stmts[of_table(table, SKL_SQL_IMAGE_ALL)];
    int rc;

    while ((rc = skl_db_row(db, stmt, err)) > 0) {
        rc = cb(arg, skl_db_column(stmt, 0), skl_db_column(stmt, 1), err);
        if (rc < 0) {
            skl_db_fail_row(db, names[table], skl_db_column(stmt, 0), err);
            sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc;
}
