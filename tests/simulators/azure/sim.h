/* sim - the Azure simulator's state: what its files share.
 *
 * Thread  CivetWeb's threads and one per workload; `lock` guards everything in struct sim, taken at a handler's edge
 */
#ifndef SKL_SIM_AZURE_SIM_H
#define SKL_SIM_AZURE_SIM_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "sim_http.h"
#include "workload.h"

struct sim_options {
    char *listen, *agent, *state_dir, *runtime, *mirror, *fault, *client_secret, *log_level;
    char **actions; /* what the caller may do; NULL: everything */
    int64_t clock_skew_s;
    int64_t latency_ms, ingestion_delay_s, fault_seed, token_lifetime_s, stop_grace_s,
        front_end_limit_ms;
    bool memory_limits, help, version;
};

struct token {
    struct skl_list in_sim;
    char value[65];
    char audience[64];
    int64_t expires_ms;
};

enum sim_table { SIM_TABLE_CONSOLE, SIM_TABLE_SYSTEM, SIM_TABLE_TRACES };

struct log_row {
    int64_t time_ns, ingested_ns;
    char *job, *replica, *container, *image, *stream,
        *text; /* stream: reason, for the system table */
    enum sim_table table;
};

struct operation {
    char id[37];
    int64_t ready_ms;
    char *failure; /* NULL: it succeeds */
};

struct execution {
    struct skl_list in_job;
    struct job *job;
    struct sim *sim;
    char name[80], address[24];
    cJSON *template;
    char status[16];
    int64_t start_ns, end_ns;
    bool ended, has_code;
    int code, tries;
    struct sim_workload *workload;
};

struct job {
    char *name, *key; /* as written; lower case with its group */
    char *id;
    cJSON *body;
    int64_t ready_ms; /* provisioning ends */
    bool deleting;
    struct skl_list executions; /* newest first */
};

struct sim {
    pthread_mutex_t lock;
    const struct sim_options *options;
    struct sim_runtime *runtime;
    struct skl_list tokens;
    char *client_secret; /* NULL or "": any is accepted */
    struct skl_map jobs, operations, groups, environments; /* groups, environments: cJSON */
    struct log_row *rows;
    size_t n_rows;
    struct skl_map calls; /* operation -> count + 1 */
    uint64_t dice;
    double fault_429, fault_500, fault_away, fault_drop, fault_slow;
    uint64_t faults;
    /* App Service: web.h */
    struct skl_map plans, sites, taken, accounts; /* taken: names that strangers have */
    struct skl_list site_threads;
    struct skl_list planned; /* of struct planned_fault, in main.c */
    bool lose_answer, hold_answer;
    bool holding; /* until /simulator/release */
    size_t n_held;
    char last_call[48];
    struct skl_list finished; /* of struct gone: workloads to be joined */
    bool closing;
};

#define SIM_WORKSPACE "11111111-2222-3333-4444-555555555555"

/* main.c */
int64_t sim_now_ms(void);
void sim_count(struct sim *s, const char *operation);
bool sim_parse_faults(struct sim *s, const char *spec);
/* Counts a call, and true: a fault that was planned for it has answered it, without effect. */
bool sim_planned(struct sim *s, const char *operation, struct sim_answer *a);
/* What was planned for the call that is answered now, and is over with that. */
struct sim_answer_fault {
    bool lost; /* the call has its effect, nobody is told */
    bool hold; /* as lost, once /simulator/release comes */
};
struct sim_answer_fault sim_take_answer_fault(struct sim *s);
void sim_hold(struct sim *s); /* without the lock; returns when released */

/* auth.c */
bool sim_auth_route(struct sim *s, const struct sim_request *r, struct sim_answer *a);
void sim_set_secret(struct sim *s, const struct sim_request *r, struct sim_answer *a);
/* false: answered with the cloud's own refusal */
bool sim_auth_check(struct sim *s, const struct sim_request *r, const char *audience, bool is_query,
                    struct sim_answer *a);

/* arm.c */
void sim_arm(struct sim *s, const struct sim_request *r, struct sim_answer *a);
void sim_arm_error(struct sim_answer *a, int status, const char *code, const char *fmt, ...)
    SKL_PRINTF(4, 5);
/* Keys and scopes are lower case: "subscription/group/name" is in "subscription" and in "subscription/group". */
bool sim_in_scope(const char *key, const char *scope);
void sim_answer_list(struct sim_answer *a, cJSON *own_value);
/* Begins a long-running operation; header is Azure-AsyncOperation or Location. */
void sim_operation_begin(struct sim *s, const struct sim_request *r, struct sim_answer *a,
                         const char *header);

/* permissions.c; p, n: the path's parts. false: answered */
bool sim_permitted(struct sim *s, const struct sim_request *r, char *const *p, size_t n,
                   struct sim_answer *a);
void sim_permissions(struct sim *s, const struct sim_request *r, struct sim_answer *a);

/* jobs.c; parts: what follows /jobs, at most 4 */
void sim_jobs(struct sim *s, const struct sim_request *r, const char *group, char **parts,
              struct sim_answer *a);
/* executions.c */
void sim_job_start(struct sim *s, const struct sim_request *r, struct job *j, struct sim_answer *a);
void sim_executions(struct sim *s, const struct sim_request *r, struct job *j, char **parts,
                    struct sim_answer *a);
void sim_execution_stop(struct execution *x);
cJSON *sim_execution_json(const struct execution *x, bool with_detail);
struct execution *sim_execution_by_name(struct sim *s, const char *name);
/* With --runtime external: those that nobody has taken yet; the end of one. */
void sim_executions_take(struct sim *s, struct sim_answer *a);
void sim_execution_finish(struct sim *s, const struct sim_request *r, struct sim_answer *a);
void sim_executions_join(struct sim *s); /* those that have ended; without the lock */
/* validate.c: false: answered */
bool sim_job_validate(struct sim *s, const char *name, const cJSON *body, struct sim_answer *a);
bool sim_template_validate(const cJSON *template, const cJSON *secrets, bool with_volumes,
                           struct sim_answer *a);

/* logs.c */
void sim_log_add(struct sim *s, enum sim_table table, const char *job, const char *replica,
                 const char *container, const char *image, const char *stream, const char *text,
                 size_t n);
void sim_log_query(struct sim *s, const struct sim_request *r, struct sim_answer *a);

/* kql.c: rows as a table of values */
enum kql_type { KQL_NULL, KQL_BOOL, KQL_LONG, KQL_REAL, KQL_STRING, KQL_DATETIME };
struct kql_value {
    enum kql_type type;
    int64_t i; /* bool, long, datetime in ns */
    double d;
    struct skl_str s; /* borrowed from the arena or the source */
};
struct kql_table {
    char **columns;
    enum kql_type *types;
    size_t n_columns;
    struct kql_value **rows;
    int64_t *ingested_ns; /* per row */
    size_t n_rows;
};
/* Source tables: false if there is none of that name. Rows are made with kql_row(). */
typedef bool kql_source_cb(void *arg, const char *name, struct kql_table *ret);
struct kql_arena;
int kql_run(const char *text, kql_source_cb *source, void *arg, struct kql_table *ret,
            struct kql_arena **ret_arena, struct skl_error *err);
void kql_arena_free(struct kql_arena *a);

#endif
