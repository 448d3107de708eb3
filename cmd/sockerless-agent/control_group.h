/* control_group - files of our own control group: below /sys/fs/cgroup as /proc/self/cgroup names it, or that folder itself
 * where it is mounted over it.
 *
 * Shape   file: "memory.current", or "memory/memory.usage_in_bytes" of the older hierarchies
 * Errors  false: there is no such thing here
 */
#ifndef SKL_AGENT_CONTROL_GROUP_H
#define SKL_AGENT_CONTROL_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool agent_file_read(const char *path, char *out, size_t cap); /* text, cut at cap - 1 */
bool agent_group_read(const char *file, char *out, size_t cap);
/* Of "key value" lines: one of them. */
bool agent_group_number(const char *file, const char *key, uint64_t *ret);

#endif
