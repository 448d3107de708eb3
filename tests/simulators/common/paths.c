#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/str.h"
#include "workload.h"

/* What is mounted into a workload is named by its whole path: runc works elsewhere. */
static int make_absolute(char **path, const char *flag, struct skl_error *err)
{
    char *whole = realpath(*path, NULL);

    if (!whole)
        return skl_fail_errno(err, errno, "%s '%s'", flag, *path);
    skl_strset(path, whole);
    free(whole);
    return 0;
}

int sim_paths(char **state_dir, char **agent, bool *temporary, struct skl_error *err)
{
    char made[] = "/tmp/skl-sim-XXXXXX";

    if (!skl_str_empty(*agent) && make_absolute(agent, "--agent", err) < 0)
        return -(int)err->kind;
    *temporary = skl_str_empty(*state_dir);
    if (*temporary) {
        if (!mkdtemp(made))
            return skl_fail_errno(err, errno, "making a temporary folder");
        skl_strset(state_dir, made);
        return 0;
    }
    if (mkdir(*state_dir, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "--state-dir '%s'", *state_dir);
    return make_absolute(state_dir, "--state-dir", err);
}
