/* Users and groups from the image's own /etc/passwd and /etc/group. The C library's functions would load name
 * service modules, which a static program cannot. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"

#define MAX_FILE (4 * SKL_MIB)

static bool read_file(const char *path, struct skl_buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    if (fd < 0)
        return false;
    do {
        char *p = skl_buf_reserve(b, 4096);

        n = p ? read(fd, p, 4096) : 0;
        if (n > 0)
            skl_buf_commit(b, (size_t)n);
    } while (n > 0);
    close(fd);
    return n == 0;
}

struct row {
    struct skl_str field[7];
};

static bool next_row(struct skl_str *rest, struct row *ret)
{
    while (rest->n > 0) {
        struct skl_str line = skl_str_cut(*rest, '\n', rest);

        if (line.n == 0 || line.p[0] == '#')
            continue;
        for (size_t i = 0; i < SKL_ARRAY_LEN(ret->field); i++)
            ret->field[i] = skl_str_cut(line, ':', &line);
        return true;
    }
    return false;
}

static bool number(struct skl_str s, uint32_t *ret)
{
    uint64_t v;

    if (!skl_str_u64(s, &v) || v > INT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

static bool add_group(struct agent_user *u, gid_t gid)
{
    for (size_t i = 0; i < u->n_groups; i++)
        if (u->groups[i] == gid)
            return true;
    if (u->n_groups == SKL_ARRAY_LEN(u->groups))
        return false;
    u->groups[u->n_groups++] = gid;
    return true;
}

/* Name or number. A number needs no row. */
static int find_group(struct skl_str groups, struct skl_str name, gid_t *ret, struct skl_error *err)
{
    uint32_t id;
    struct row row;

    while (next_row(&groups, &row))
        if (skl_str_eq(row.field[0], name) && number(row.field[2], &id)) {
            *ret = id;
            return 0;
        }
    if (number(name, &id)) {
        *ret = id;
        return 0;
    }
    return skl_fail(err, SKL_E_INVALID,
                    "unable to find group " SKL_STR_FMT ": no matching entries in group file",
                    SKL_STR_ARG(name));
}

static void add_memberships(struct agent_user *u, struct skl_str groups, struct skl_str name)
{
    struct row row;
    uint32_t gid;

    while (next_row(&groups, &row)) {
        struct skl_str members = row.field[3];

        if (!number(row.field[2], &gid))
            continue;
        while (members.n > 0)
            if (skl_str_eq(skl_str_cut(members, ',', &members), name))
                (void)add_group(u, gid); /* more than 64: the kernel's old limit was less */
    }
}

int agent_user_find(const char *user, char *const *group_add, struct agent_user *ret,
                    struct skl_error *err)
{
    struct skl_str group,
        name = skl_str_cut(skl_str(skl_str_empty(user) ? "0" : user), ':', &group);
    SKL_AUTO_BUF struct skl_buf passwd_text = {0}, group_text = {0};
    struct skl_str passwd;
    struct row row;
    uint32_t uid = 0, gid;
    bool found = false;
    int rc = 0;

    skl_buf_init(&passwd_text, MAX_FILE);
    skl_buf_init(&group_text, MAX_FILE);
    (void)read_file("/etc/passwd", &passwd_text); /* an image may have neither */
    (void)read_file("/etc/group", &group_text);
    *ret = (struct agent_user){0};
    passwd = skl_buf_str(&passwd_text);
    if (name.n == 0)
        name = SKL_STR("0");
    while (!found && next_row(&passwd, &row)) {
        uint32_t id;

        if (!number(row.field[2], &id) || !number(row.field[3], &gid))
            continue;
        if (!skl_str_eq(row.field[0], name) && !(number(name, &uid) && uid == id))
            continue;
        found = true;
        ret->uid = id;
        ret->gid = gid;
        ret->home = skl_str_dup(row.field[5]);
        if (group.n == 0)
            add_memberships(ret, skl_buf_str(&group_text), row.field[0]);
    }
    if (!found && !number(name, &uid))
        return skl_fail(err, SKL_E_INVALID,
                        "unable to find user " SKL_STR_FMT ": no matching entries in passwd file",
                        SKL_STR_ARG(name));
    if (!found)
        ret->uid = uid;
    if (group.n > 0)
        rc = find_group(skl_buf_str(&group_text), group, &ret->gid, err);
    (void)add_group(ret, ret->gid);
    for (; rc == 0 && group_add && *group_add; group_add++) {
        gid_t extra = 0;

        rc = find_group(skl_buf_str(&group_text), skl_str(*group_add), &extra, err);
        if (rc == 0)
            (void)add_group(ret, extra);
    }
    if (!ret->home || !*ret->home)
        skl_strset(&ret->home, ret->uid == 0 ? "/root" : "/");
    if (rc < 0)
        free(skl_take(&ret->home));
    return rc;
}
