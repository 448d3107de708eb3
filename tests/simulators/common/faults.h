/* faults - calls that fail on purpose: at random with a fixed seed, or the next few calls of one method.
 *
 * Shape   "429:0.1,500:0.05,drop:0.02,slow:0.1" by chance; "METHOD=KIND*N" for the next N calls (N is 1 if left out),
 *         where KIND is a status, drop (no effect), lost (an effect, no answer), slow or a word of the simulator's own
 * Thread  the caller's lock
 */
#ifndef SKL_SIM_FAULTS_H
#define SKL_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_fault_hook {
    char *method, *kind;
    int left;
};
struct sim_faults {
    double p_429, p_500, p_drop, p_slow;
    struct sim_fault_hook *hooks;
    int n_hooks;
    uint64_t dice, count; /* count: of faults that were made */
};
/* Replaces what was there; false: the text is wrong, and nothing is changed. */
bool sim_faults_parse(struct sim_faults *f, const char *spec);
void sim_faults_seed(struct sim_faults *f, int64_t seed);

struct sim_fault {
    int status; /* answered instead of the call's own answer; 0: none */
    bool drop, lost, slow;
    const char *word; /* another kind; valid until the next parse; NULL: none */
};
struct sim_fault sim_fault_next(struct sim_faults *f, const char *method);

#endif
