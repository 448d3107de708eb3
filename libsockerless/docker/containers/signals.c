/* Names and numbers of signals, as Docker takes them. */
#include <signal.h>

#include "base/str.h"
#include "docker/lifecycle/lifecycle.h"

static const struct {
    const char *name;
    int number;
} table[] = {
    {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"BUS", SIGBUS},       {"CHLD", SIGCHLD},
    {"CLD", SIGCHLD},  {"CONT", SIGCONT}, {"FPE", SIGFPE},       {"HUP", SIGHUP},
    {"ILL", SIGILL},   {"INT", SIGINT},   {"IO", SIGIO},         {"IOT", SIGIOT},
    {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"POLL", SIGPOLL},     {"PROF", SIGPROF},
    {"PWR", SIGPWR},   {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},     {"STKFLT", SIGSTKFLT},
    {"STOP", SIGSTOP}, {"SYS", SIGSYS},   {"TERM", SIGTERM},     {"TRAP", SIGTRAP},
    {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
    {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
};

#define FIRST_REALTIME 34 /* what a container sees as SIGRTMIN */
#define LAST_REALTIME  64

bool skl_signal_parse(const char *text, int *ret)
{
    struct skl_str s = skl_str_trim(skl_str(text));
    uint64_t number;

    if (skl_str_u64(s, &number)) {
        if (number < 1 || number > LAST_REALTIME)
            return false;
        *ret = (int)number;
        return true;
    }
    if (skl_str_istarts(s, "SIG"))
        s = skl_str_skip(s, 3);
    for (size_t i = 0; i < SKL_ARRAY_LEN(table); i++)
        if (skl_str_ieqz(s, table[i].name)) {
            *ret = table[i].number;
            return true;
        }
    if (skl_str_istarts(s, "RTMIN")) {
        s = skl_str_skip(s, 5);
        *ret = FIRST_REALTIME;
        if (s.n == 0)
            return true;
        if (s.p[0] != '+' || !skl_str_u64(skl_str_skip(s, 1), &number) || number > 30)
            return false;
        *ret += (int)number;
        return true;
    }
    return false;
}
