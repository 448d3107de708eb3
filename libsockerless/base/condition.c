#include "base/condition.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/redact.h"

static pthread_mutex_t conditions_lock = PTHREAD_MUTEX_INITIALIZER;

void skl_condition_report(struct skl_condition *c, bool ok, const char *fmt, ...)
{
    int state = ok ? SKL_CONDITION_OK : SKL_CONDITION_FAILING;
    va_list ap;

    if (!fmt && atomic_load(&c->state) == state)
        return;
    (void)pthread_mutex_lock(&conditions_lock);
    c->at_ms = skl_mono_ms();
    if (atomic_load(&c->state) != state)
        c->since_ms = c->at_ms;
    atomic_store(&c->state, state);
    if (fmt) {
        va_start(ap, fmt);
        vsnprintf(c->detail, sizeof(c->detail), fmt, ap);
        va_end(ap);
        skl_redact_text(c->detail, sizeof(c->detail));
    } else {
        c->detail[0] = '\0';
    }
    (void)pthread_mutex_unlock(&conditions_lock);
}

bool skl_condition_is_failing(const struct skl_condition *c)
{
    return atomic_load(&c->state) == SKL_CONDITION_FAILING;
}

void skl_condition_read(struct skl_condition *c, struct skl_condition *ret)
{
    (void)pthread_mutex_lock(&conditions_lock);
    ret->name = c->name;
    atomic_store(&ret->state, atomic_load(&c->state));
    ret->since_ms = c->since_ms;
    ret->at_ms = c->at_ms;
    snprintf(ret->detail, sizeof(ret->detail), "%s", c->detail);
    (void)pthread_mutex_unlock(&conditions_lock);
}
