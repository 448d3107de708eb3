/* log_gate - warnings that a peer can provoke: a few per window, the rest is counted.
 *
 * Units   times in ms
 */
#ifndef SKL_BASE_LOG_GATE_H
#define SKL_BASE_LOG_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct skl_log_gate {
    int64_t since_ms;
    unsigned lines, held_back;
};
/* True: log it. held_back: how many lines were left out before it, "0" and so on. */
bool skl_log_gate_open(struct skl_log_gate *g, int64_t now_ms, char held_back[24]);

#endif
