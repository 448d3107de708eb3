/* Artifact Registry: repositories by name. What they hold is the registry mirror's. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "sim.h"

static char *name_of(const struct sim *s, const char *location, const char *id)
{
    return gcp_format("projects/%s/locations/%s/repositories/%s", s->options->project, location,
                      id);
}

bool gcp_repository_is_remote(struct sim *s, const char *location, const char *id)
{
    char *name SKL_AUTO_STR = name_of(s, location, id);

    return skl_streq(skl_json_get_str(skl_map_getz(&s->repositories, name), "mode"),
                     "REMOTE_REPOSITORY");
}

static void answer_operation(const struct gcp_path *p, const cJSON *response, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    char *name SKL_AUTO_STR =
        gcp_format("projects/%s/locations/%s/operations/repository", p->parts[2], p->parts[4]);

    cJSON_AddStringToObject(json, "name", name);
    cJSON_AddTrueToObject(json, "done");
    cJSON_AddItemToObject(json, "response",
                          response ? cJSON_Duplicate(response, true) : cJSON_CreateObject());
    sim_json(a, 200, json);
}

static void create(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                   struct sim_answer *a)
{
    char *id SKL_AUTO_STR = sim_query(r, "repositoryId");
    char *name SKL_AUTO_STR = name_of(s, p->parts[4], id ? id : "");
    cJSON *body = gcp_request(s, r, "artifactregistry", "Repository", a);
    char when[SKL_TIME_LEN];

    if (!body)
        return;
    if (skl_str_empty(id) || !skl_streq(skl_json_get_str(body, "format"), "DOCKER")) {
        gcp_error(a, GCP_INVALID_ARGUMENT, "repository_id and the format DOCKER are required.");
        cJSON_Delete(body);
    } else if (skl_map_getz(&s->repositories, name)) {
        gcp_error(a, GCP_ALREADY_EXISTS, "the repository already exists");
        cJSON_Delete(body);
    } else {
        cJSON_DeleteItemFromObject(body, "name");
        cJSON_AddStringToObject(body, "name", name);
        cJSON_AddStringToObject(body, "createTime", skl_time_format(skl_wall_ns(), when));
        skl_map_set(&s->repositories, skl_str(name), body);
        answer_operation(p, body, a);
    }
}

static void list(struct sim *s, const struct gcp_path *p, struct sim_answer *a)
{
    SKL_AUTO_JSON cJSON *json = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(json, "repositories");
    char *prefix SKL_AUTO_STR = name_of(s, p->parts[4], "");
    cJSON *item;
    size_t i = 0;

    while ((item = skl_map_next(&s->repositories, &i, NULL)))
        if (skl_str_starts(skl_str(skl_json_get_str(item, "name")), prefix))
            cJSON_AddItemToArray(items, cJSON_Duplicate(item, true));
    sim_json(a, 200, json);
}

/* v1, projects, P, locations, R, repositories[, ID] | operations, repository */
void gcp_registry(struct sim *s, const struct sim_request *r, const struct gcp_path *p,
                  struct sim_answer *a)
{
    char *name SKL_AUTO_STR = name_of(s, p->parts[4], p->n > 6 ? p->parts[6] : "");
    cJSON *item = skl_map_getz(&s->repositories, name);

    if (skl_streq(p->parts[5], "operations")) {
        answer_operation(p, NULL, a);
    } else if (p->n == 6 && skl_streq(r->method, "POST")) {
        create(s, r, p, a);
    } else if (p->n == 6 && skl_streq(r->method, "GET")) {
        list(s, p, a);
    } else if (p->n != 7) {
        gcp_unknown(r, a);
    } else if (!item) {
        gcp_error(a, GCP_NOT_FOUND, "Requested entity was not found.");
    } else if (skl_streq(r->method, "GET")) {
        sim_json(a, 200, item);
    } else if (skl_streq(r->method, "DELETE")) {
        skl_map_remove(&s->repositories, skl_str(name));
        cJSON_Delete(item);
        answer_operation(p, NULL, a);
    } else {
        gcp_unknown(r, a);
    }
}
