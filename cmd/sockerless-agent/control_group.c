#include "control_group.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"

bool agent_file_read(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, out, cap - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Lines are "N:controllers:/path"; the unified hierarchy has no controllers. */
static struct skl_str group_path(struct skl_str lines, struct skl_str controller)
{
    while (lines.p) {
        struct skl_str path, names, line = skl_str_cut(lines, '\n', &lines);

        (void)skl_str_cut(line, ':', &names);
        names = skl_str_cut(names, ':', &path);
        if (path.p && skl_str_eq(names, controller))
            return path;
    }
    return (struct skl_str){0};
}

bool agent_group_read(const char *file, char *out, size_t cap)
{
    struct skl_str name, controller = skl_str_cut(skl_str(file), '/', &name);
    char groups[4096], path[4400];
    struct skl_str group;

    if (!name.p) {
        name = controller;
        controller = skl_str_n("", 0);
    }
    if (agent_file_read("/proc/self/cgroup", groups, sizeof(groups))) {
        group = group_path(skl_str(groups), controller);
        snprintf(path, sizeof(path), "/sys/fs/cgroup/" SKL_STR_FMT SKL_STR_FMT "/" SKL_STR_FMT,
                 SKL_STR_ARG(controller), SKL_STR_ARG(group), SKL_STR_ARG(name));
        if (group.p && agent_file_read(path, out, cap))
            return true;
    }
    snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", file);
    return agent_file_read(path, out, cap);
}

bool agent_group_number(const char *file, const char *key, uint64_t *ret)
{
    char text[8192];
    struct skl_str rest;

    if (!agent_group_read(file, text, sizeof(text)))
        return false;
    rest = skl_str(text);
    while (rest.p) {
        struct skl_str value, name = skl_str_cut(skl_str_cut(rest, '\n', &rest), ' ', &value);

        if (skl_str_eqz(name, key))
            return skl_str_u64(skl_str_trim(value), ret);
    }
    return false;
}
