/* Storage accounts: their keys, and Azure Files shares as folders of this machine. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "web.h"

#define KEY         "c2ltdWxhdGVkIGtleSBvZiBhIHN0b3JhZ2UgYWNjb3VudA=="
#define AGENT_SHARE "sockerless-agent"

static void put_account(struct sim *s, const struct sim_request *r, const char *name,
                        struct sim_answer *a)
{
    cJSON *body = NULL;

    if (skl_json_parse(r->body, &body, NULL) < 0 || !skl_json_get_str(body, "location")) {
        cJSON_Delete(body);
        sim_arm_error(a, 400, "InvalidRequestContent", "A storage account needs a location.");
        return;
    }
    cJSON_Delete(skl_map_set(&s->accounts, skl_str(name), body));
    sim_json(a, 200, body);
}

static bool is_plain(const char *name)
{
    if (skl_str_empty(name))
        return false;
    for (; *name; name++)
        if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '-'))
            return false;
    return true;
}

static char *share_path(const struct sim *s, const char *account, const char *share)
{
    struct skl_buf path;

    skl_buf_init(&path, 4 * SKL_KIB);
    skl_buf_addf(&path, "%s/share-%s-%s", s->options->state_dir, account, share);
    return skl_buf_detach(&path);
}

/* p: account, "fileServices", "default", "shares", share. The agent's share is there from the start. */
static void share_route(struct sim *s, const struct sim_request *r, char **p, struct sim_answer *a)
{
    char *path SKL_AUTO_STR = share_path(s, p[0], p[4]);
    bool is_there = access(path, F_OK) == 0 ||
                    (strcmp(p[4], AGENT_SHARE) == 0 && !skl_str_empty(s->options->agent));
    SKL_AUTO_JSON cJSON *json = NULL;

    if (skl_streq(r->method, "PUT") && is_plain(p[4]) && (is_there || mkdir(path, 0777) == 0)) {
        a->status = is_there ? 200 : 201;
    } else if (skl_streq(r->method, "GET") && is_there) {
        a->status = 200;
    } else {
        sim_arm_error(a, 404, "ShareNotFound", "The specified share does not exist.");
        return;
    }
    json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "id", r->path);
    cJSON_AddStringToObject(json, "name", p[4]);
    cJSON_AddStringToObject(json, "type", "Microsoft.Storage/storageAccounts/fileServices/shares");
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(json, "properties"), "shareQuota", 5120);
    sim_json(a, a->status, json);
}

void sim_storage(struct sim *s, const struct sim_request *r, char **parts, struct sim_answer *a)
{
    cJSON *account = parts[0] ? skl_map_getz(&s->accounts, parts[0]) : NULL;

    if (parts[0] && !parts[1] && skl_streq(r->method, "PUT")) {
        put_account(s, r, parts[0], a);
    } else if (!account) {
        sim_arm_error(a, 404, "ResourceNotFound",
                      "The Resource 'Microsoft.Storage/storageAccounts/%s' was not found.",
                      parts[0] ? parts[0] : "");
    } else if (skl_streq(parts[1], "listKeys") && skl_streq(r->method, "POST")) {
        if (!sim_planned(s, "storage.listKeys", a))
            sim_text(a, 200,
                     "{\"keys\":[{\"keyName\":\"key1\",\"value\":\"" KEY
                     "\",\"permissions\":\"Full\"}]}");
    } else if (parts[1] && parts[2] && parts[3] && parts[4] && !parts[5] &&
               strcasecmp(parts[1], "fileServices") == 0 && strcasecmp(parts[2], "default") == 0 &&
               strcasecmp(parts[3], "shares") == 0) {
        share_route(s, r, parts, a);
    } else if (!parts[1] && skl_streq(r->method, "GET")) {
        sim_json(a, 200, account);
    } else {
        sim_arm_error(a, 404, "NotFound", "'%s' is not known here.", r->path);
    }
}

char *sim_share_dir(struct sim *s, const char *account, const char *share, const char *key)
{
    struct skl_buf agent;
    char *path;

    if (!skl_streq(key, KEY) || !is_plain(account) || !is_plain(share) ||
        !skl_map_getz(&s->accounts, account))
        return NULL;
    path = share_path(s, account, share);
    if (mkdir(path, 0777) == 0 && strcmp(share, AGENT_SHARE) == 0 &&
        !skl_str_empty(s->options->agent)) {
        /* What an operator uploads once. */
        skl_buf_init(&agent, 4 * SKL_KIB);
        skl_buf_addf(&agent, "%s/sockerless-agent", path);
        if (sim_tool_run((char *[]){(char[]){"cp"}, s->options->agent, agent.p, NULL}, NULL) == 0)
            (void)chmod(agent.p, 0777); /* as everything on such a mount */
        skl_buf_fini(&agent);
    }
    return path;
}
