/* clock - time, in one place.
 *
 * Units   *_ms milliseconds, *_ns nanoseconds, int64_t. Wall clock only at the API edge; waits use
 *         the monotonic clock (on the loop: uv_now()).
 */
#ifndef SKL_BASE_CLOCK_H
#define SKL_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define SKL_NS_PER_S  INT64_C(1000000000)
#define SKL_NS_PER_MS INT64_C(1000000)

int64_t skl_wall_ns(void);
int64_t skl_mono_ms(void);
int64_t skl_mono_us(void); /* microseconds: for metrics */
/* The point of skl_mono_ms() at which a recorded moment was, for waits that go on after a restart: as the wall clock tells
 * it now, which may have been set since; never later than now. */
int64_t skl_mono_of_wall(int64_t wall_ns);

/* RFC 3339 in UTC, up to nine fraction digits without trailing zeros: "2026-11-23T09:43:38.39Z".
 * 0 gives "0001-01-01T00:00:00Z". The _fixed form always writes nine digits (log lines). */
#define SKL_TIME_LEN 40
const char *skl_time_format(int64_t wall_ns, char out[SKL_TIME_LEN]);
const char *skl_time_format_fixed(int64_t wall_ns, char out[SKL_TIME_LEN]);
/* RFC 3339 with any offset and fraction; false if it is none. */
bool skl_time_parse(struct skl_str s, int64_t *ret_wall_ns);

#endif
