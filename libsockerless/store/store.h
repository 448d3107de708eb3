/* store - all objects in memory, SQLite (WAL) behind them; every transition is written before it returns.
 *
 * Thread  loop thread
 * Errors  a disk that is full or read-only fails the transition with INTERNAL and a sentence; memory and
 *         database stay the same
 */
#ifndef SKL_STORE_STORE_H
#define SKL_STORE_STORE_H

#include <uv.h>

#include "store/container.h"
#include "store/event.h"
#include "store/exec.h"
#include "store/image.h"
#include "store/network.h"
#include "store/volume.h"

/* dir is made (0700) when missing; ":memory:" keeps nothing. Locks the directory against a second
 * daemon. Loads everything; containers that were STARTING, RUNNING or PAUSED stay so: the layers above
 * find out what became of them. */
int skl_store_open(uv_loop_t *loop, const char *dir, struct skl_store **ret, struct skl_error *err);
void skl_store_close(struct skl_store *s); /* NULL is fine */
struct skl_journal *skl_store_journal(struct skl_store *s);
const char *
skl_store_instance(const struct skl_store *s); /* random id of this installation, kept */
const char *skl_store_dir(const struct skl_store *s);

/* Random adjective_surname that is free. Owned. */
char *skl_store_pick_name(struct skl_store *s);

#endif
