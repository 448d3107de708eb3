/* log - one line per event, text or JSON from the same call.
 *
 *     skl_log(SKL_LOG_INFO, "http", "request", "method", m, "path", p, NULL);
 *
 * Shape   ts level topic msg key=value...; keys and values are C strings, the list ends with NULL
 * Rule    base, net and cloud log at debug only; who answers or gives up logs the rest. Secrets are never passed in on
 *         purpose; message and values are redacted all the same (base/redact.h)
 * Thread  any
 */
#ifndef SKL_BASE_LOG_H
#define SKL_BASE_LOG_H

#include <stdbool.h>

#include "base/macros.h"

enum skl_log_level { SKL_LOG_DEBUG, SKL_LOG_INFO, SKL_LOG_WARN, SKL_LOG_ERROR };

void skl_log_setup(enum skl_log_level min, bool json, int fd);
bool skl_log_enabled(enum skl_log_level level);
bool skl_log_level_parse(const char *name, enum skl_log_level *ret);

void skl_log(enum skl_log_level level, const char *topic, const char *msg, ...)
    __attribute__((sentinel));

#define skl_debug(...)                                                                             \
    (skl_log_enabled(SKL_LOG_DEBUG) ? skl_log(SKL_LOG_DEBUG, __VA_ARGS__) : (void)0)
#define skl_info(...) skl_log(SKL_LOG_INFO, __VA_ARGS__)
#define skl_warn(...) skl_log(SKL_LOG_WARN, __VA_ARGS__)
#define skl_err(...)  skl_log(SKL_LOG_ERROR, __VA_ARGS__)

#endif
