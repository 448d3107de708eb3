/* go_value - values of queries and options as Go's strconv reads them, which an Engine's refusals show.
 *
 * Thread  any
 */
#ifndef SKL_DOCKER_GO_VALUE_H
#define SKL_DOCKER_GO_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* 1, t, T, TRUE, true, True and their opposites; false for anything else. */
bool skl_go_bool(const char *text, bool *ret);
/* An optional sign and decimal digits. */
bool skl_go_int(const char *text, int64_t *ret);

#endif
