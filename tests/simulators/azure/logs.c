/* The Log Analytics workspace: what workloads printed, as the tables that Container Apps fill. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

#define MAX_ROWS 200000

void sim_log_add(struct sim *s, enum sim_table table, const char *job, const char *replica,
                 const char *container, const char *image, const char *stream, const char *text,
                 size_t n)
{
    struct log_row *row;

    if (s->n_rows >= MAX_ROWS)
        return; /* a service with a daily cap */
    if ((s->n_rows & (s->n_rows - 1)) == 0)
        s->rows = skl_realloc(s->rows, s->n_rows ? 2 * s->n_rows : 1, sizeof(*row));
    row = &s->rows[s->n_rows++];
    *row = (struct log_row){
        .time_ns = skl_wall_ns(),
        .job = skl_strdup(job),
        .replica = skl_strdup(replica),
        .container = skl_strdup(container),
        .image = skl_strdup(image),
        .stream = skl_strdup(stream),
        .text = skl_memdup(text, n),
        .table = table,
    };
    row->ingested_ns = row->time_ns + s->options->ingestion_delay_s * SKL_NS_PER_S;
}

struct column {
    const char *name;
    enum kql_type type;
};

static const struct column console_columns[] =
    {
        {"TimeGenerated", KQL_DATETIME},
        {"_timestamp_d", KQL_REAL},
        {"ContainerJobName_s", KQL_STRING},
        {"ContainerGroupName_s", KQL_STRING},
        {"ContainerName_s", KQL_STRING},
        {"ContainerId_s", KQL_STRING},
        {"ContainerImage_s", KQL_STRING},
        {"Stream_s", KQL_STRING},
        {"Log_s", KQL_STRING},
        {"EnvironmentName_s", KQL_STRING},
},
                           system_columns[] =
                               {
                                   {"TimeGenerated", KQL_DATETIME}, {"_timestamp_d", KQL_REAL},
                                   {"JobName_s", KQL_STRING},       {"ReplicaName_s", KQL_STRING},
                                   {"ContainerName_s", KQL_STRING}, {"Reason_s", KQL_STRING},
                                   {"Log_s", KQL_STRING},           {"Type_s", KQL_STRING},
},
                           trace_columns[] = {
                               {"TimeGenerated", KQL_DATETIME}, {"ItemCount", KQL_LONG},
                               {"SeverityLevel", KQL_LONG},     {"AppRoleName", KQL_STRING},
                               {"AppRoleInstance", KQL_STRING}, {"Message", KQL_STRING},
                               {"SDKVersion", KQL_STRING},      {"Type", KQL_STRING},
};

static const struct {
    const char *name;
    const struct column *columns;
    size_t n_columns;
} tables[] = {
    [SIM_TABLE_CONSOLE] = {"ContainerAppConsoleLogs_CL", console_columns,
                           SKL_ARRAY_LEN(console_columns)},
    [SIM_TABLE_SYSTEM] = {"ContainerAppSystemLogs_CL", system_columns,
                          SKL_ARRAY_LEN(system_columns)},
    [SIM_TABLE_TRACES] = {"AppTraces", trace_columns, SKL_ARRAY_LEN(trace_columns)},
};

struct rows {
    struct sim *s;
    struct kql_value **rows;
    struct kql_value *values; /* of all rows: operators move the pointers to them */
    int64_t *ingested;
    char **columns;
    enum kql_type *types;
};

static void fill_strings(struct kql_value *v, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (struct kql_value){.type = KQL_STRING, .s = skl_str(texts[i])};
}

static void fill(struct kql_value *v, const struct log_row *row)
{
    const char *console[] = {row->job,   row->replica, row->container, row->replica,
                             row->image, row->stream,  row->text,      "sockerless"};
    const char *system[] = {row->job,    row->replica, row->container,
                            row->stream, row->text,    row->stream};
    const char *trace[] = {row->job, row->replica, row->text, "dotnet:2.22", "AppTraces"};

    v[0] = (struct kql_value){.type = KQL_DATETIME, .i = row->time_ns};
    v[1] = (struct kql_value){.type = KQL_REAL, .d = (double)row->time_ns / 1e9};
    switch (row->table) {
    case SIM_TABLE_CONSOLE:
        fill_strings(v + 2, console, SKL_ARRAY_LEN(console));
        break;
    case SIM_TABLE_SYSTEM:
        fill_strings(v + 2, system, SKL_ARRAY_LEN(system));
        break;
    case SIM_TABLE_TRACES:
        v[1] = (struct kql_value){.type = KQL_LONG, .i = 1};
        v[2] = (struct kql_value){.type = KQL_LONG, .i = skl_streq(row->stream, "stderr") ? 3 : 1};
        fill_strings(v + 3, trace, SKL_ARRAY_LEN(trace));
        break;
    }
}

/* A table that was never written does not exist. */
static bool source(void *arg, const char *name, struct kql_table *ret)
{
    struct rows *r = arg;
    enum sim_table table = SIM_TABLE_CONSOLE;
    int64_t now = skl_wall_ns();
    bool exists = false;
    size_t n_columns;

    while (table <= SIM_TABLE_TRACES && strcmp(name, tables[table].name) != 0)
        table++;
    if (r->rows || table > SIM_TABLE_TRACES)
        return false; /* one source table a query is what is needed */
    n_columns = tables[table].n_columns;
    r->rows = skl_new0_n(struct kql_value *, r->s->n_rows + 1);
    r->values = skl_new0_n(struct kql_value, (r->s->n_rows + 1) * n_columns);
    r->ingested = skl_new0_n(int64_t, r->s->n_rows + 1);
    r->columns = skl_new0_n(char *, n_columns);
    r->types = skl_new0_n(enum kql_type, n_columns);
    *ret = (struct kql_table){r->columns, r->types, n_columns, r->rows, r->ingested, 0};
    for (size_t i = 0; i < n_columns; i++) {
        r->columns[i] = (char *)(uintptr_t)tables[table].columns[i].name;
        r->types[i] = tables[table].columns[i].type;
    }
    for (size_t i = 0; i < r->s->n_rows; i++) {
        const struct log_row *row = &r->s->rows[i];

        if (row->table != table || row->ingested_ns > now)
            continue;
        exists = true;
        r->rows[ret->n_rows] = &r->values[ret->n_rows * n_columns];
        r->ingested[ret->n_rows] = row->ingested_ns;
        fill(r->rows[ret->n_rows++], row);
    }
    return exists;
}

static void add_value(struct skl_json *j, const struct kql_value *v)
{
    char text[SKL_TIME_LEN];

    switch (v->type) {
    case KQL_NULL:
        skl_json_null(j, NULL);
        break;
    case KQL_BOOL:
        skl_json_bool(j, NULL, v->i != 0);
        break;
    case KQL_LONG:
        skl_json_int(j, NULL, v->i);
        break;
    case KQL_REAL:
        skl_json_num(j, NULL, v->d);
        break;
    case KQL_STRING:
        skl_json_strn(j, NULL, v->s);
        break;
    case KQL_DATETIME: /* 100 ns steps, as the service stores them */
        skl_json_str(j, NULL, skl_time_format(v->i - v->i % 100, text));
        break;
    }
}

static void answer_table(struct sim_answer *a, const struct kql_table *t)
{
    static const char *const types[] = {"string", "bool", "long", "real", "string", "datetime"};
    struct skl_json j;

    skl_buf_reset(&a->body);
    skl_json_init(&j, &a->body);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "tables");
    skl_json_object(&j, NULL);
    skl_json_str(&j, "name", "PrimaryResult");
    skl_json_array(&j, "columns");
    for (size_t i = 0; i < t->n_columns; i++) {
        skl_json_object(&j, NULL);
        skl_json_str(&j, "name", t->columns[i]);
        skl_json_str(&j, "type", types[t->types[i]]);
        skl_json_end_object(&j);
    }
    skl_json_end_array(&j);
    skl_json_array(&j, "rows");
    for (size_t row = 0; row < t->n_rows; row++) {
        skl_json_array(&j, NULL);
        for (size_t i = 0; i < t->n_columns; i++)
            add_value(&j, &t->rows[row][i]);
        skl_json_end_array(&j);
    }
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    a->status = 200;
}

static void refuse_query(struct sim_answer *a, const char *text)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    bool semantic = skl_str_starts(skl_str(text), "SemanticError");
    struct skl_json j;

    skl_buf_init(&b, 8 * SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_object(&j, "error");
    skl_json_str(&j, "code", "BadArgumentError");
    skl_json_str(&j, "message", "The request had some invalid properties");
    skl_json_object(&j, "innererror");
    skl_json_str(&j, "code", semantic ? "SemanticError" : "SyntaxError");
    skl_json_str(&j, "message", text);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    sim_text(a, 400, b.p);
}

void sim_log_query(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    struct rows rows = {.s = s};
    SKL_AUTO_JSON cJSON *body = NULL;
    struct kql_arena *arena = NULL;
    struct kql_table table;
    const char *query;
    struct skl_error err;

    if (!sim_auth_check(s, r, "api.loganalytics.io", true, a))
        return;
    if (!strstr(r->path, SIM_WORKSPACE)) {
        sim_arm_error(a, 404, "PathNotFoundError", "The workspace does not exist.");
        return;
    }
    if (skl_json_parse(r->body, &body, NULL) < 0 || !(query = skl_json_get_str(body, "query"))) {
        refuse_query(a, "SyntaxError: the request has no query");
        return;
    }
    if (kql_run(query, source, &rows, &table, &arena, &err) < 0)
        refuse_query(a, err.msg);
    else
        answer_table(a, &table);
    kql_arena_free(arena);
    free(rows.values);
    free(rows.rows);
    free(rows.ingested);
    free(rows.columns);
    free(rows.types);
}
