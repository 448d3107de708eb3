/* condition - whether something that the daemon depends on works, as last seen by who uses it.
 *
 * Shape   a condition is a static object of the layer that sees it (the database, the credentials, the cloud)
 * Rule    the detail is shown to whoever may look at the ops listener: no secrets, as in every message
 * Thread  any; one lock for all, not taken for "still well" without a detail
 */
#ifndef SKL_BASE_CONDITION_H
#define SKL_BASE_CONDITION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

#define SKL_CONDITION_DETAIL 240

enum skl_condition_state { SKL_CONDITION_UNKNOWN, SKL_CONDITION_OK, SKL_CONDITION_FAILING };

struct skl_condition {
    const char *name;
    atomic_int state; /* enum skl_condition_state */
    /* Guarded by the lock. */
    int64_t since_ms,
        at_ms; /* skl_mono_ms() of the last change and of the last report with a detail */
    char detail[SKL_CONDITION_DETAIL];
};

/* fmt NULL: nothing new to say; the detail stays, but goes with the failure that it told about. */
void skl_condition_report(struct skl_condition *c, bool ok, const char *fmt, ...) SKL_PRINTF(3, 4);
bool skl_condition_is_failing(const struct skl_condition *c);
/* A copy of one moment. */
void skl_condition_read(struct skl_condition *c, struct skl_condition *ret);

#endif
