#include "base/fault_point.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"

#define NAME_MAX_BYTES 128

atomic_bool skl_fault_points_on;

static atomic_uint passed, matched;
static uint64_t die_at; /* 0: counting */
static char die_name[NAME_MAX_BYTES];
static int count_fd = -1;

static int bad_spec(const char *spec, struct skl_error *err)
{
    return skl_fail(err, SKL_E_INVALID, "fault point '%s': expected count:FILE or die:N:NAME",
                    spec);
}

int skl_fault_points_setup(const char *spec, struct skl_error *err)
{
    struct skl_str name, number;

    atomic_store(&skl_fault_points_on, false);
    atomic_store(&passed, 0);
    atomic_store(&matched, 0);
    die_at = 0;
    if (count_fd >= 0)
        close(count_fd);
    count_fd = -1;
    if (!spec)
        return 0;
    if (skl_str_starts(skl_str(spec), "count:")) {
        count_fd = open(spec + strlen("count:"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (count_fd < 0)
            return skl_fail_errno(err, errno, "fault point '%s'", spec);
    } else {
        if (!skl_str_starts(skl_str(spec), "die:"))
            return bad_spec(spec, err);
        number = skl_str_cut(skl_str(spec + strlen("die:")), ':', &name);
        if (!skl_str_u64(number, &die_at) || die_at == 0 || name.n >= sizeof(die_name))
            return bad_spec(spec, err);
        snprintf(die_name, sizeof(die_name), SKL_STR_FMT, SKL_STR_ARG(name));
    }
    atomic_store(&skl_fault_points_on, true);
    return 0;
}

unsigned skl_fault_points_passed(void)
{
    return atomic_load(&passed);
}

void skl_fault_point_passed(const char *where, const char *what)
{
    char name[NAME_MAX_BYTES];
    int n = snprintf(name, sizeof(name), "%s%s%s", where, what ? " " : "", what ? what : "");

    atomic_fetch_add(&passed, 1);
    if (die_at == 0) {
        /* One write per line: threads do not mix theirs. */
        char line[NAME_MAX_BYTES + 1];

        n = snprintf(line, sizeof(line), "%s\n", name);
        if (write(count_fd, line, (size_t)n) != n)
            perror("fault points");
        return;
    }
    if ((die_name[0] == '\0' || strcmp(name, die_name) == 0) &&
        atomic_fetch_add(&matched, 1) + 1 == die_at)
        kill(getpid(), SIGKILL);
}
