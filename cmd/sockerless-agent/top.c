/* The processes of the container, as `ps` would list them. The columns are those of `ps -ef`, or the ones that
 * "-o a,b" names; an unknown column is refused, as ps does. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

struct process {
    const char *pid;
    char state, comm[64];
    uint64_t ppid, ticks, start_ticks, rss_pages, vsize;
    uint64_t tty;
    uid_t uid;
    char *command;
};

static ssize_t read_proc(const char *pid, const char *name, char *out, size_t cap)
{
    char path[300];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, out, cap - 1);
    close(fd);
    if (n >= 0)
        out[n] = '\0';
    return n;
}

static bool parse_stat(struct process *p, char *text)
{
    char *open_paren = strchr(text, '('), *close_paren = strrchr(text, ')');
    struct skl_str rest;
    uint64_t field[25] = {0};

    if (!open_paren || !close_paren || strlen(close_paren) < 4)
        return false;
    *close_paren = '\0';
    snprintf(p->comm, sizeof(p->comm), "%s", open_paren + 1);
    p->state = close_paren[2];
    rest = skl_str(close_paren + 4);
    for (size_t i = 4; i < SKL_ARRAY_LEN(field) && rest.p; i++)
        (void)skl_str_u64(skl_str_cut(rest, ' ', &rest), &field[i]); /* negative ones stay 0 */
    p->ppid = field[4];
    p->tty = field[7];
    p->ticks = field[14] + field[15];
    p->start_ticks = field[22];
    p->vsize = field[23];
    p->rss_pages = field[24];
    return true;
}

static void read_command(struct process *p)
{
    char text[4096];
    ssize_t n = read_proc(p->pid, "cmdline", text, sizeof(text));
    struct skl_buf b;

    skl_buf_init(&b, sizeof(text) + 64);
    for (ssize_t i = 0; i < n; i++)
        skl_buf_addc(&b, text[i] ? text[i] : ' ');
    while (b.n > 0 && b.p[b.n - 1] == ' ')
        b.p[--b.n] = '\0';
    if (b.n == 0)
        skl_buf_addf(&b, "[%s]", p->comm);
    p->command = skl_buf_detach(&b);
}

static bool read_process(struct process *p, const char *pid)
{
    char text[1024], path[300];
    struct stat st;

    *p = (struct process){.pid = pid};
    snprintf(path, sizeof(path), "/proc/%s", pid);
    if (read_proc(pid, "stat", text, sizeof(text)) <= 0 || !parse_stat(p, text) ||
        stat(path, &st) < 0)
        return false;
    p->uid = st.st_uid;
    read_command(p);
    return true;
}

/* -- columns */

static void user_name(uid_t uid, struct skl_buf *b)
{
    if (uid == 0)
        skl_buf_adds(b, "root");
    else
        skl_buf_addf(b, "%u", uid);
}

static void start_time(const struct process *p, struct skl_buf *b)
{
    struct timespec up;
    int64_t hz = sysconf(_SC_CLK_TCK);
    time_t t;
    struct tm tm;
    char text[16];

    clock_gettime(CLOCK_BOOTTIME, &up);
    t = time(NULL) - up.tv_sec + (time_t)((int64_t)p->start_ticks / hz);
    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%H:%M", &tm);
    skl_buf_adds(b, text);
}

static void cpu_time(const struct process *p, struct skl_buf *b)
{
    uint64_t s = p->ticks / (uint64_t)sysconf(_SC_CLK_TCK);

    skl_buf_addf(b, "%02u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
                 (unsigned)(s % 60));
}

static const struct column {
    const char *option, *title;
} columns[] = {
    {"user", "USER"}, {"uid", "UID"},      {"pid", "PID"},       {"ppid", "PPID"},
    {"c", "C"},       {"stime", "STIME"},  {"tty", "TT"},        {"time", "TIME"},
    {"cmd", "CMD"},   {"comm", "COMMAND"}, {"args", "COMMAND"},  {"command", "COMMAND"},
    {"stat", "STAT"}, {"state", "S"},      {"rss", "RSS"},       {"vsz", "VSZ"},
    {"%cpu", "%CPU"}, {"%mem", "%MEM"},    {"start", "STARTED"},
};

static void cell(const struct process *p, const char *option, struct skl_buf *b)
{
    struct skl_str o = skl_str(option);

    if (skl_str_eqz(o, "user"))
        user_name(p->uid, b);
    else if (skl_str_eqz(o, "uid"))
        skl_buf_addf(b, "%u", p->uid);
    else if (skl_str_eqz(o, "pid"))
        skl_buf_adds(b, p->pid);
    else if (skl_str_eqz(o, "ppid"))
        skl_buf_addf(b, "%llu", (unsigned long long)p->ppid);
    else if (skl_str_eqz(o, "c"))
        skl_buf_adds(b, "0");
    else if (skl_str_eqz(o, "stime") || skl_str_eqz(o, "start"))
        start_time(p, b);
    else if (skl_str_eqz(o, "tty"))
        skl_buf_adds(b, p->tty ? "pts/0" : "?");
    else if (skl_str_eqz(o, "time"))
        cpu_time(p, b);
    else if (skl_str_eqz(o, "comm"))
        skl_buf_adds(b, p->comm);
    else if (skl_str_eqz(o, "stat") || skl_str_eqz(o, "state"))
        skl_buf_addc(b, p->state);
    else if (skl_str_eqz(o, "rss"))
        skl_buf_addf(b, "%llu", (unsigned long long)p->rss_pages * 4);
    else if (skl_str_eqz(o, "vsz"))
        skl_buf_addf(b, "%llu", (unsigned long long)p->vsize / 1024);
    else if (o.p[0] == '%')
        skl_buf_adds(b, "0.0");
    else
        skl_buf_adds(b, p->command);
}

/* The column list that ps_args asks for: owned; NULL and err for one that ps would refuse. */
static char **wanted(const char *ps_args, bool *own_titles, struct skl_error *err)
{
    static const char ef[] = "user,pid,ppid,c,stime,tty,time,cmd";
    static const char aux[] = "user,pid,%cpu,%mem,vsz,rss,tty,stat,start,time,command";
    const char *list = strstr(ps_args, "-eo")  ? strstr(ps_args, "-eo") + 3
                       : strstr(ps_args, "-o") ? strstr(ps_args, "-o") + 2
                                               : NULL;
    struct skl_str rest;
    char **v = NULL;

    *own_titles = list == NULL;
    if (!list)
        list = strstr(ps_args, "aux") ? aux : ef;
    rest = skl_str_trim(skl_str(list));
    while (rest.p) {
        char *name SKL_AUTO_STR = skl_str_dup(skl_str_trim(skl_str_cut(rest, ',', &rest)));
        bool known = false;

        for (size_t i = 0; i < SKL_ARRAY_LEN(columns); i++)
            known |= strcmp(columns[i].option, name) == 0;
        if (!known) {
            skl_strv_free(v);
            skl_fail(err, SKL_E_INTERNAL, "ps: error: unknown user-defined format specifier \"%s\"",
                     name);
            return NULL;
        }
        skl_strv_push(&v, name);
    }
    return v;
}

static const char *title_of(const char *option, bool own_titles)
{
    if (own_titles && strcmp(option, "user") == 0)
        return "UID";
    if (own_titles && strcmp(option, "tty") == 0)
        return "TTY";
    for (size_t i = 0; i < SKL_ARRAY_LEN(columns); i++)
        if (strcmp(columns[i].option, option) == 0)
            return columns[i].title;
    return "";
}

static void add_rows(struct skl_buf *out, char *const *options)
{
    struct dirent *e;
    DIR *d = opendir("/proc");
    char self[16];

    snprintf(self, sizeof(self), "%ld", (long)getpid());
    while (d && (e = readdir(d))) {
        struct process p;
        uint64_t number;

        if (!skl_str_u64(skl_str(e->d_name), &number) || strcmp(e->d_name, self) == 0 ||
            !read_process(&p, e->d_name))
            continue;
        for (char *const *o = options; *o; o++) {
            SKL_AUTO_BUF struct skl_buf b = {0};

            skl_buf_init(&b, 8 * SKL_KIB);
            cell(&p, *o, &b);
            skl_tlv_str(out, SKL_TAG_CELL, skl_buf_str(&b));
        }
        free(p.command);
    }
    if (d)
        closedir(d);
}

void agent_top(struct agent *a, const struct skl_frame *f)
{
    char *ps_args SKL_AUTO_STR = skl_tlv_find_dup(f->payload, SKL_TAG_PS_ARGS);
    SKL_AUTO_BUF struct skl_buf out = {0};
    struct skl_error err = {0};
    bool own_titles;
    char **options = wanted(ps_args ? ps_args : "-ef", &own_titles, &err);

    if (!options) {
        agent_task_error(a, f->stream, skl_kind_status(err.kind), err.msg);
        return;
    }
    skl_buf_init(&out, SKL_WS_MAX_MESSAGE - SKL_FRAME_HEAD);
    for (char **o = options; *o; o++)
        skl_tlv_strz(&out, SKL_TAG_TITLE, title_of(*o, own_titles));
    add_rows(&out, options);
    skl_strv_free(options);
    if (out.failed)
        agent_task_error(a, f->stream, 500, "there are too many processes to list");
    else
        agent_task_result(a, f->stream, skl_buf_str(&out));
}
