/* The state database as a daemon finds it: rows that nobody of ours wrote, or a file that is none. Either all of it is
 * taken, or the store does not open and says why; what was taken can be used.
 *
 * First byte: odd, the rest is the file; even, the rest are values, one per RECORD, of the columns in turn.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/db.h"
#include "store/store.h"

#define RECORD '\x1e'
#define MAX_N  (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[64], file[96];

static void remove_dir(void)
{
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm",
                                        "state.db-journal", "lock"};

    for (size_t i = 0; i < SKL_ARRAY_LEN(names); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void make_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "%s/skl-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    SKL_ASSERT(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/state.db", dir);
}

static void write_file(const uint8_t *p, size_t n)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    SKL_ASSERT(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

static void bind_next(sqlite3_stmt *stmt, int at, struct skl_str *rest)
{
    struct skl_str value = skl_str_cut(*rest, RECORD, rest);
    int64_t number;

    if (skl_str_i64(value, &number))
        sqlite3_bind_int64(stmt, at, number);
    else if (value.n > 0)
        sqlite3_bind_text(stmt, at, value.p, (int)value.n, SQLITE_TRANSIENT);
    else
        sqlite3_bind_text(stmt, at, "", 0, SQLITE_STATIC);
}

static void put_row(struct skl_db *db, enum skl_db_sql which, int first, int columns,
                    struct skl_str *rest)
{
    sqlite3_stmt *stmt = skl_db_stmt(db, which);

    if (first == 2)
        sqlite3_bind_int64(stmt, 1, 1); /* the row of one container in three tables */
    for (int i = first; i <= columns; i++)
        bind_next(stmt, i, rest);
    (void)skl_db_run(db, stmt, NULL); /* NOT NULL columns may refuse it */
}

static void write_rows(struct skl_str rest)
{
    struct skl_db *db = NULL;

    SKL_ASSERT(skl_db_open(file, &db, NULL) == 0);
    put_row(db, SKL_SQL_SPEC_PUT, 2, 2, &rest);
    put_row(db, SKL_SQL_HEALTH_PUT, 2, 2, &rest);
    put_row(db, SKL_SQL_CONTAINER_PUT, 2, 23, &rest);
    put_row(db, SKL_SQL_IMAGE_PUT, 1, 3, &rest);
    put_row(db, SKL_SQL_NETWORK_PUT, 1, 3, &rest);
    put_row(db, SKL_SQL_VOLUME_PUT, 1, 3, &rest);
    put_row(db, SKL_SQL_EXEC_PUT, 1, 3, &rest);
    put_row(db, SKL_SQL_META_PUT, 1, 2, &rest);
    skl_db_close(db);
}

static void use(struct skl_store *s)
{
    char *name SKL_AUTO_STR = skl_store_pick_name(s);
    const char *instance = skl_store_instance(s);
    struct skl_network *network;
    struct skl_container *c;

    SKL_ASSERT(name && *name && instance);
    (void)skl_container_find(s, "0123456789ab", &c, NULL);
    (void)skl_network_find(s, "bridge", &network, NULL);
    (void)skl_store_probe(s, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct skl_store *s = NULL;
    struct skl_error err = {0};
    uv_loop_t loop;

    if (n < 1 || n > MAX_N)
        return 0;
    make_dir();
    SKL_ASSERT(uv_loop_init(&loop) == 0);
    if (data[0] & 1)
        write_file(data + 1, n - 1);
    else
        write_rows(skl_str_n((const char *)data + 1, n - 1));
    if (skl_store_open(&loop, dir, &s, &err) == 0)
        use(s);
    else
        SKL_ASSERT(err.msg[0]);
    skl_store_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    SKL_ASSERT(uv_loop_close(&loop) == 0);
    remove_dir();
    return 0;
}
