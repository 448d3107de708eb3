#include "base/log_gate.h"

#include <stdio.h>

#define WINDOW_MS 10000
#define MAX_LINES 5

bool skl_log_gate_open(struct skl_log_gate *g, int64_t now_ms, char held_back[24])
{
    if (g->since_ms == 0 || now_ms - g->since_ms >= WINDOW_MS) {
        g->since_ms = now_ms ? now_ms : 1;
        g->lines = 0;
    }
    if (g->lines >= MAX_LINES) {
        g->held_back++;
        return false;
    }
    g->lines++;
    snprintf(held_back, 24, "%u", g->held_back);
    g->held_back = 0;
    return true;
}
