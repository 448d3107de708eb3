#include "daemon/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"

#define LITTLE_SPACE (512 * SKL_MIB) /* output of a few containers fills that in minutes */

struct skl_doctor {
    struct skl_findings findings;
    const char *program;
    bool json;
    struct skl_buf text;
    struct skl_json j;
    unsigned n[SKL_GRADE_FAIL + 1];
};

static const char *const words[] = {
    [SKL_GRADE_OK] = "ok", [SKL_GRADE_WARN] = "warn", [SKL_GRADE_FAIL] = "fail"};

/* A message of a cloud may have lines of its own. */
static void add_line(struct skl_buf *b, const char *s)
{
    for (; *s; s++)
        skl_buf_addf(b, "%c", (unsigned char)*s < ' ' ? ' ' : *s);
}

static void tell(void *arg, enum skl_grade grade, const char *check, const char *says,
                 const char *fix)
{
    struct skl_doctor *d = arg;

    d->n[grade]++;
    if (d->json) {
        skl_json_object(&d->j, NULL);
        skl_json_str(&d->j, "check", check);
        skl_json_str(&d->j, "result", words[grade]);
        skl_json_str(&d->j, "found", says);
        if (fix)
            skl_json_str(&d->j, "fix", fix);
        skl_json_end_object(&d->j);
        return;
    }
    skl_buf_reset(&d->text);
    skl_buf_addf(&d->text, "%-4s  %s: ", words[grade], check);
    add_line(&d->text, says);
    if (fix)
        skl_buf_adds(&d->text, "; to fix: ");
    add_line(&d->text, fix ? fix : "");
    puts(d->text.p);
    (void)fflush(stdout); /* the next check may take seconds */
}

struct skl_doctor *skl_doctor_new(const char *program, bool json)
{
    struct skl_doctor *d = skl_new0(struct skl_doctor);

    d->findings = (struct skl_findings){tell, d};
    d->program = program;
    d->json = json;
    skl_buf_init(&d->text, SKL_MIB);
    skl_json_init(&d->j, &d->text);
    if (json) {
        skl_json_object(&d->j, NULL);
        skl_json_str(&d->j, "program", program);
        skl_json_str(&d->j, "version", SKL_VERSION);
        skl_json_array(&d->j, "checks");
    }
    return d;
}

const struct skl_findings *skl_doctor_findings(struct skl_doctor *d)
{
    return &d->findings;
}

int skl_doctor_end(struct skl_doctor *d)
{
    int code = d->n[SKL_GRADE_FAIL] > 0;

    if (d->json) {
        skl_json_end_array(&d->j);
        skl_json_bool(&d->j, "ok", !code);
        skl_json_end_object(&d->j);
        puts(d->text.p);
    } else {
        printf("%s: %u ok, %u to look at, %u to fix\n", d->program, d->n[SKL_GRADE_OK],
               d->n[SKL_GRADE_WARN], d->n[SKL_GRADE_FAIL]);
    }
    skl_buf_fini(&d->text);
    free(d);
    return code;
}

/* -- the state directory */

/* The daemon makes the last part of the path itself. */
static void check_parent(const char *dir, const struct skl_findings *to)
{
    char parent[4096];
    char *slash;

    snprintf(parent, sizeof(parent), "%s", dir);
    slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, sizeof(parent), ".");
    else
        slash[slash == parent] = '\0';
    if (access(parent, W_OK | X_OK) == 0)
        skl_find_ok(to, "state directory", "'%s' will be made at the first start", dir);
    else
        skl_find(to, SKL_GRADE_FAIL, "state directory",
                 "make it, owned by the user that runs this daemon, or set --state-dir",
                 "'%s' is not there and cannot be made in '%s': %s", dir, parent, strerror(errno));
}

static bool is_writable(const char *dir, const struct skl_findings *to)
{
    char path[4200];
    int fd;

    snprintf(path, sizeof(path), "%s/doctor-XXXXXX", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        skl_find(to, SKL_GRADE_FAIL, "state directory",
                 "make it writable for the user that runs this daemon, or set --state-dir",
                 "'%s' cannot be written to: %s", dir, strerror(errno));
        return false;
    }
    (void)unlink(path);
    close(fd);
    return true;
}

static void check_state_dir(const char *dir, const struct skl_findings *to)
{
    struct statvfs fs;
    struct stat st;

    if (stat(dir, &st) < 0 && errno == ENOENT) {
        check_parent(dir, to);
        return;
    }
    if (!is_writable(dir, to))
        return;
    if (statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < LITTLE_SPACE)
        skl_find(to, SKL_GRADE_WARN, "state directory",
                 "make room, or move it to a larger disk: output of containers is kept there",
                 "'%s' has %llu MB left", dir,
                 (unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize / SKL_MIB));
    else
        skl_find_ok(to, "state directory", "'%s' can be written to", dir);
}

void skl_doctor_look(struct skl_doctor *d, const struct skl_doctor_subject *s)
{
    skl_find_ok(&d->findings, "configuration", "the settings go together");
    check_state_dir(s->settings->state_dir, &d->findings);
    skl_doctor_check_callback(s, &d->findings);
    if (s->backend->diagnose)
        s->backend->diagnose(s->ctx, &d->findings);
}
