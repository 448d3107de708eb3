/* one_shot - the rule of the function backends: a command that is not there to keep its container alive ends by
 * itself.
 */
#ifndef SKL_FUNCTION_ONE_SHOT_H
#define SKL_FUNCTION_ONE_SHOT_H

#include <stdbool.h>

/* Without an agent nobody sees the command: one that does not keep alive is taken as ended that long after its start. */
#define SKL_ONE_SHOT_MS 500

/* `tail -f /dev/null` in its spellings: with a path, with -F, --follow, -n 0, behind `exec`, in a shell's -c,
 * behind an init (`/bin/sh -c`, `tini --`, `dumb-init`). argv may be NULL: not known, so it stays alive. */
bool skl_command_keeps_alive(char *const *argv);

#endif
