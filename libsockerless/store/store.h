/* store - all objects in memory, SQLite (WAL) behind them; every transition is written before it returns.
 *
 * Thread  loop thread
 * Files   DIR/state.db (0600, directory 0700: it holds agent tokens and registry logins in clear, which a
 *         recovered daemon needs), DIR/lock. A commit survives the end of the process in any way.
 * Events  container, exec, network and volume events are emitted here; image events and those of plain
 *         actions (kill, stop, attach, top...) by the layers above
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
/* NULL is fine. Calls nobody: waiters and subscriptions that are left stay valid for their cancel. */
void skl_store_close(struct skl_store *s);
struct skl_journal *skl_store_journal(struct skl_store *s);
const char *
skl_store_instance(const struct skl_store *s); /* random id of this installation, kept */
const char *skl_store_dir(const struct skl_store *s);
/* Writes a row that nobody reads: whether the database can be written is then known (store_metrics.h). */
int skl_store_probe(struct skl_store *s, struct skl_error *err);

/* Random adjective_surname that is free. Owned. */
char *skl_store_pick_name(struct skl_store *s);

#endif
