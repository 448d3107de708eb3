/* Every process of the container: all of the process namespace when we are its first process, else our descendants
 * (we are their subreaper, so that none escapes by losing its parent). */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"

struct entry {
    pid_t pid, parent;
    bool ours;
};

/* The parent is the second field behind the command's closing parenthesis. */
static pid_t parent_of(const char *pid_name)
{
    char path[300], text[512];
    const char *p;
    uint64_t parent;
    struct skl_str rest;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%s/stat", pid_name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    p = strrchr(text, ')');
    if (!p || strlen(p) < 5)
        return 0;
    return skl_str_u64(skl_str_cut(skl_str(p + 4), ' ', &rest), &parent) ? (pid_t)parent : 0;
}

static struct entry *list_processes(size_t *ret_n)
{
    struct entry *list = NULL;
    struct dirent *e;
    size_t n = 0, cap = 0;
    DIR *d = opendir("/proc");

    while (d && (e = readdir(d))) {
        uint64_t pid;

        if (!skl_str_u64(skl_str(e->d_name), &pid))
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            list = skl_realloc(list, cap, sizeof(*list));
        }
        list[n++] = (struct entry){(pid_t)pid, parent_of(e->d_name), false};
    }
    if (d)
        closedir(d);
    *ret_n = n;
    return list;
}

static void mark_descendants(struct entry *list, size_t n)
{
    pid_t self = getpid();
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < n; i++) {
            if (list[i].ours)
                continue;
            for (size_t k = 0; k < n && !list[i].ours; k++)
                list[i].ours =
                    list[i].parent == self || (list[k].ours && list[k].pid == list[i].parent);
            changed |= list[i].ours;
        }
    }
}

void agent_signal_all(int signo)
{
    struct entry *list;
    size_t n;

    if (getpid() == 1) {
        (void)kill(-1, signo); /* nobody left: fine */
        return;
    }
    list = list_processes(&n);
    mark_descendants(list, n);
    for (size_t i = 0; i < n; i++)
        if (list[i].ours)
            (void)kill(list[i].pid, signo); /* it may have ended in this moment */
    free(list);
}
