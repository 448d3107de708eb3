/* fault_point - named places at which a test ends the process, to see what the next one makes of what is left.
 *
 * Shape   a name is where ("store.whole") and of what ("jobs.start", may be NULL), with a space between. Switched off,
 *         a point costs the load of a flag (docs/decisions/0010-fault-points.md)
 * Spec    "count:FILE" appends the name of every point that is passed, a line each; "die:N:NAME" is SIGKILL at the N-th
 *         passing of that name, "die:N:" of any
 * Thread  any
 */
#ifndef SKL_BASE_FAULT_POINT_H
#define SKL_BASE_FAULT_POINT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

/* spec NULL: off, as from the beginning. Before other threads run. */
int skl_fault_points_setup(const char *spec, struct skl_error *err);
/* How many were passed since the set-up. */
unsigned skl_fault_points_passed(void);

extern atomic_bool skl_fault_points_on;
void skl_fault_point_passed(const char *where, const char *what);

static inline void skl_fault_point(const char *where, const char *what)
{
    if (__builtin_expect(atomic_load_explicit(&skl_fault_points_on, memory_order_relaxed), false))
        skl_fault_point_passed(where, what);
}

#endif
