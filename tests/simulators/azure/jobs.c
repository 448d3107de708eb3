/* Jobs: create or update, get, list, delete, secrets. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

static bool is_ready(const struct job *j)
{
    return sim_now_ms() >= j->ready_ms;
}

/* As GET shows it: secrets have no values. */
static cJSON *job_json(const struct job *j)
{
    cJSON *copy = cJSON_Duplicate(j->body, 1);
    cJSON *properties = skl_json_get(copy, "properties");
    cJSON *secret;

    cJSON_ArrayForEach(secret, skl_json_get(skl_json_get(properties, "configuration"), "secrets"))
        cJSON_DeleteItemFromObject(secret, "value");
    cJSON_DeleteItemFromObject(properties, "provisioningState");
    cJSON_AddStringToObject(properties, "provisioningState",
                            j->deleting   ? "Deleting"
                            : is_ready(j) ? "Succeeded"
                                          : "InProgress");
    cJSON_AddStringToObject(copy, "id", j->id);
    cJSON_AddStringToObject(copy, "name", j->name);
    cJSON_AddStringToObject(copy, "type", "Microsoft.App/jobs");
    return copy;
}

static void answer_job(struct sim_answer *a, int status, const struct job *j)
{
    cJSON *json = job_json(j);

    sim_json(a, status, json);
    cJSON_Delete(json);
}

static void job_free(struct job *j)
{
    cJSON_Delete(j->body);
    free(j->name);
    free(j->key);
    free(j->id);
    free(j);
}

static void put_job(struct sim *s, const struct sim_request *r, const char *key, const char *name,
                    struct job *j, struct sim_answer *a)
{
    cJSON *body = NULL;

    if (skl_json_parse(r->body, &body, NULL) < 0 || !cJSON_IsObject(body)) {
        cJSON_Delete(body);
        sim_arm_error(a, 400, "InvalidRequestContent", "The request content was invalid.");
        return;
    }
    if (!sim_job_validate(s, name, body, a)) {
        cJSON_Delete(body);
        return;
    }
    if (j && (j->deleting || !is_ready(j))) {
        cJSON_Delete(body);
        sim_arm_error(a, 409, "ContainerAppOperationInProgress",
                      "Cannot modify job '%s': another operation is in progress.", name);
        return;
    }
    cJSON_DeleteItemFromObject(body, "id");
    cJSON_DeleteItemFromObject(body, "name");
    cJSON_DeleteItemFromObject(body, "type");
    if (!j) {
        j = skl_new0(struct job);
        j->name = skl_strdup(name);
        j->key = skl_strdup(key);
        j->id = skl_strdup(r->path);
        skl_list_init(&j->executions);
        skl_map_set(&s->jobs, skl_str(key), j);
    }
    cJSON_Delete(j->body);
    j->body = body;
    j->ready_ms = sim_now_ms() + s->options->latency_ms;
    sim_operation_begin(s, r, a, "Azure-AsyncOperation");
    answer_job(a, 201, j);
}

/* The record goes when its executions have ended and the operation's time is over. */
static bool try_forget(struct sim *s, struct job *j)
{
    struct skl_list *it, *tmp;

    skl_list_foreach (it, &j->executions)
        if (!SKL_LIST_ENTRY(it, struct execution, in_job)->ended)
            return false;
    if (!j->deleting || !is_ready(j))
        return false;
    skl_list_foreach_safe (it, tmp, &j->executions) {
        struct execution *x = SKL_LIST_ENTRY(it, struct execution, in_job);

        if (x->workload)
            return false; /* its thread is not joined yet */
        skl_list_remove(&x->in_job);
        cJSON_Delete(x->template);
        free(x);
    }
    skl_map_remove(&s->jobs, skl_str(j->key));
    job_free(j);
    return true;
}

static void delete_job(struct sim *s, const struct sim_request *r, struct job *j,
                       struct sim_answer *a)
{
    struct skl_list *it;

    skl_list_foreach (it, &j->executions)
        sim_execution_stop(SKL_LIST_ENTRY(it, struct execution, in_job));
    if (!j->deleting) {
        j->deleting = true;
        j->ready_ms = sim_now_ms() + s->options->latency_ms;
    }
    a->status = 202;
    sim_operation_begin(s, r, a, "Location");
    (void)try_forget(s, j);
}

static void list_jobs(struct sim *s, const char *scope, struct sim_answer *a)
{
    cJSON *value = cJSON_CreateArray();
    struct job *j;
    size_t i = 0;

    while ((j = skl_map_next(&s->jobs, &i, NULL)))
        if (sim_in_scope(j->key, scope) && !j->deleting)
            cJSON_AddItemToArray(value, job_json(j));
    sim_answer_list(a, value);
}

static void list_secrets(const struct job *j, struct sim_answer *a)
{
    cJSON *answer = cJSON_CreateObject();
    const cJSON *secrets =
        skl_json_get(skl_json_get(skl_json_get(j->body, "properties"), "configuration"), "secrets");

    cJSON_AddItemToObject(answer, "value",
                          secrets ? cJSON_Duplicate(secrets, 1) : cJSON_CreateArray());
    sim_json(a, 200, answer);
    cJSON_Delete(answer);
}

static void stop_all(struct job *j, struct sim_answer *a)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON *value = cJSON_AddArrayToObject(answer, "value");
    struct skl_list *it;

    skl_list_foreach (it, &j->executions) {
        struct execution *x = SKL_LIST_ENTRY(it, struct execution, in_job);

        if (x->ended)
            continue;
        sim_execution_stop(x);
        cJSON_AddItemToArray(value, sim_execution_json(x, false));
    }
    sim_json(a, 200, answer);
    cJSON_Delete(answer);
}

static void job_action(struct sim *s, const struct sim_request *r, struct job *j, char **parts,
                       struct sim_answer *a)
{
    bool is_post = skl_streq(r->method, "POST");

    if (is_post && skl_streq(parts[1], "start") && !parts[2])
        sim_job_start(s, r, j, a);
    else if (is_post && skl_streq(parts[1], "stop") && !parts[2])
        stop_all(j, a);
    else if (is_post && skl_streq(parts[1], "listSecrets"))
        list_secrets(j, a);
    else if (skl_streq(parts[1], "executions") || (is_post && skl_streq(parts[1], "stop")))
        sim_executions(s, r, j, parts, a);
    else
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
}

void sim_jobs(struct sim *s, const struct sim_request *r, const char *group, char **parts,
              struct sim_answer *a)
{
    const char *name = parts[0];
    char key[600];
    struct job *j;

    if (!name) {
        sim_count(s, "jobs.list");
        list_jobs(s, group, a);
        return;
    }
    snprintf(key, sizeof(key), "%s/%s", group, name);
    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    j = skl_map_getz(&s->jobs, key);
    if (j && try_forget(s, j))
        j = NULL;
    if (skl_streq(r->method, "PUT") && !parts[1]) {
        sim_count(s, "jobs.put");
        put_job(s, r, key, name, j, a);
    } else if (!j || (j->deleting && skl_streq(r->method, "POST"))) {
        if (skl_streq(r->method, "DELETE"))
            a->status = 204;
        else
            sim_arm_error(a, 404, "ResourceNotFound",
                          "The Resource 'Microsoft.App/jobs/%s' was not found.", name);
    } else if (parts[1]) {
        sim_count(s, parts[1]);
        job_action(s, r, j, parts, a);
    } else if (skl_streq(r->method, "DELETE")) {
        sim_count(s, "jobs.delete");
        delete_job(s, r, j, a);
    } else if (skl_streq(r->method, "GET")) {
        sim_count(s, "jobs.get");
        answer_job(a, 200, j);
    } else {
        sim_arm_error(a, 405, "MethodNotAllowed", "%s is not allowed here.", r->method);
    }
}
