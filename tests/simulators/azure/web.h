/* web - App Service: plans, sites, their containers and the front end.
 *
 * Thread  as sim.h: the simulator's lock guards everything; one controlling thread per site
 */
#ifndef SKL_SIM_AZURE_WEB_H
#define SKL_SIM_AZURE_WEB_H

#include "service.h"
#include "sim.h"

#define SIM_WEB_VERSION "2023-12-01"

struct plan {
    char *name, *key, *id; /* key: lower case with its group */
    cJSON *body;
    int64_t ready_ms;
};

struct site {
    struct skl_list in_sim; /* all whose thread lives, also those that are deleted already */
    struct sim *sim;
    char *name, *key, *id, host[128];
    char address[24]; /* 127.x.y.z: containers share this machine's network */
    cJSON *body;      /* as it was put, with its settings */
    int64_t ready_ms; /* from then on it has a state */
    bool wanted, deleted;
    unsigned generation; /* another one: its container is started anew */

    pthread_t thread;
    pthread_cond_t changed;
    struct sim_service *service; /* its container; NULL: none runs */
    bool answers_pings, ended;
    struct skl_buf output; /* the tail of its container log */
};

/* plans.c */
void sim_plans(struct sim *s, const struct sim_request *r, const char *group, char **parts,
               struct sim_answer *a);
struct plan *sim_plan_by_id(struct sim *s, const char *id);
bool sim_plan_is_elastic(const struct plan *p);
size_t sim_plan_sites(struct sim *s, const struct plan *p);
struct plan *sim_plan_add(struct sim *s, const char *key, const char *id, const char *name,
                          cJSON *own_body);
void sim_plan_free(struct sim *s, struct plan *p);

/* sites.c */
void sim_sites(struct sim *s, const struct sim_request *r, const char *group, char **parts,
               struct sim_answer *a);
struct plan *sim_site_plan(struct sim *s, const cJSON *body);
cJSON *sim_site_json(const struct site *x);                           /* as GET shows it; owned */
const char *sim_site_setting(const struct site *x, const char *name); /* NULL: not set */

/* site_config.c: what follows /config/ */
void sim_site_config(struct sim *s, const struct sim_request *r, struct site *x, char **parts,
                     struct sim_answer *a);
/* site_validate.c: false: answered */
bool sim_site_validate(struct sim *s, const char *name, const cJSON *body, struct sim_answer *a);

/* site_run.c */
void sim_site_run(struct site *x);  /* begins its controlling thread */
void sim_site_wake(struct site *x); /* wanted, deleted or generation has changed */
int sim_site_port(const struct site *x);

/* storage.c */
void sim_storage(struct sim *s, const struct sim_request *r, char **parts, struct sim_answer *a);
/* The folder of a share, with the agent in the one that is named after it; owned; NULL: wrong key. */
char *sim_share_dir(struct sim *s, const char *account, const char *share, const char *key);

/* front_end.c; false: the request is not for a site */
bool sim_front_end(struct sim *s, const struct sim_request *r, struct sim_answer *a);

#endif
