/* build_job - one POST /build: from the query to the last line of its answer.
 *
 * Shape   build.c reads the query and the body; build_run.c runs the steps, each a job on a worker, with
 *         pulls between them on the loop; build_record.c makes the image
 * Owns    a job owns itself and a reference of its request; it ends after the step that is running when the
 *         client goes away
 * Thread  loop thread, but for what is said to run on the worker
 */
#ifndef SKL_DOCKER_BUILD_JOB_H
#define SKL_DOCKER_BUILD_JOB_H

#include "base/map.h"
#include "build/build.h"
#include "docker/api/body_file.h"
#include "docker/api/request.h"
#include "docker/images/image_names.h"

struct skl_build_job {
    struct skl_engine *e;
    struct skl_request *r;
    /* what was asked for */
    char *dockerfile, *target, *platform_text;
    char **tags; /* familiar references */
    char **args, **labels;
    bool quiet, pull, nocache;
    cJSON *registries; /* X-Registry-Config; NULL: none */
    struct skl_platform platform;
    /* the body */
    char *dir;
    struct skl_body_file body;
    /* running */
    struct skl_build *build;
    struct skl_map cache; /* key -> struct skl_build_cached */
    enum skl_build_need need;
    int rc;
    struct skl_error err;
    struct skl_buf out; /* lines of the current step, written on the worker */
    bool begun;
    /* the image that the next step begins with */
    bool giving, give_files;
    char *fetch_ref,
        *fetch_auth; /* give_files: where they are; NULL: nowhere but here. "": anonymous */
    char **fetched;  /* files in dir, of the image that is given */
    unsigned n_fetched;
    int64_t fetched_bytes; /* of all of them */
    struct skl_build_image given;
    char **
        bases; /* image id, pull reference, registry_auth ("" none), ... of images that were given */
};

void skl_build_job_free(struct skl_build_job *j);
/* build_run.c: the body is complete. */
void skl_build_job_run(struct skl_build_job *own_j);
/* build_fetch.c; WORKER: fills in j->fetched. */
int skl_build_job_fetch(struct skl_build_job *j, struct skl_error *err);
/* build_record.c: the record and its tags; the last lines go to j->out. */
int skl_build_job_record(struct skl_build_job *j, struct skl_error *err);
void skl_build_job_line(struct skl_build_job *j, const char *text); /* {"stream": text} */
/* X-Registry-Auth's form for a registry, from X-Registry-Config; owned; NULL: nothing for it. */
char *skl_build_job_auth(const struct skl_build_job *j, const char *domain);

#endif
