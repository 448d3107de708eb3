/* Azure tells everybody which actions they are permitted at a scope; so rights are compared as a list, and nothing is
 * made to try them. A role grants what it lists and its own exceptions do not take away; roles add up. */
#include "cloud/azure/diagnosis.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "cloud/reach.h"

#define RESOURCES_API   "2022-09-01"
#define PERMISSIONS_API "2022-04-01"
#define ROLE_FIX                                                                                   \
    "give the identity the role that terraform/modules makes for the backend, at the resource "    \
    "group"

static int64_t soon(void)
{
    return skl_mono_ms() + SKL_DOCTOR_CALL_MS;
}

static bool check_apis(struct skl_azure *a, const struct skl_findings *to)
{
    const struct skl_reach_target targets[] = {
        {"api login", skl_azure_credential_authority(a->credential)},
        {"api management", skl_arm_endpoint(a->arm)},
        {"api logs", a->logs ? skl_logs_endpoint(a->logs) : NULL},
    };

    return skl_cloud_reach(a->rest, targets, a->logs ? 3 : 2, to);
}

static bool check_token(struct skl_azure *a, const char *check, enum skl_azure_audience audience,
                        const struct skl_findings *to)
{
    char *token = NULL;
    struct skl_error err;

    if (skl_azure_credential_token(a->credential, audience, soon(), NULL, &token, &err) < 0) {
        skl_find(to, SKL_GRADE_FAIL, check,
                 "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of an application "
                 "that the "
                 "tenant knows, give this machine a managed identity, or log in with `az login`",
                 "%s", err.msg);
        return false;
    }
    skl_secret_free(token);
    skl_find_ok(to, check, "a token by %s", skl_azure_credential_source(a->credential));
    return true;
}

bool skl_azure_look(struct skl_azure *a, const char *check, const char *path,
                    const char *api_version, const char *missing_fix, const struct skl_findings *to,
                    struct skl_arm_result *ret)
{
    const struct skl_arm_call call = {.operation = "doctor.look",
                                      .what = "reading it",
                                      .method = "GET",
                                      .path = path,
                                      .api_version = api_version,
                                      .no_retry = true,
                                      .deadline_ms = soon()};
    struct skl_error err;

    if (skl_arm_send(a->arm, &call, ret, &err) == 0)
        return true;
    skl_find(to, SKL_GRADE_FAIL, check,
             ret->status == 404 ? missing_fix
             : ret->status == 401 || ret->status == 403
                 ? ROLE_FIX
                 : "try again; if it stays, ask Azure's status page",
             "%s: %s", path, err.msg);
    return false;
}

static bool check_group(struct skl_azure *a, const struct skl_azure_subject *s,
                        const struct skl_findings *to)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    SKL_AUTO_BUF struct skl_buf fix = {0};

    skl_buf_init(&fix, SKL_KIB);
    skl_buf_addf(&fix,
                 "make it (az group create, or terraform/modules), or set %s and the subscription "
                 "to one that is there",
                 s->group_setting);
    if (!skl_azure_look(a, "resource group", s->group_path, RESOURCES_API, fix.p, to, &result))
        return false;
    skl_find_ok(to, "resource group", "%s is there", s->group_path);
    return true;
}

/* -- rights */

bool skl_azure_action_matches(const char *pattern, const char *action)
{
    const char *star = NULL, *from = NULL;

    while (*action) {
        if (*pattern == '*') {
            star = pattern++;
            from = action;
        } else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*action)) {
            pattern++;
            action++;
        } else if (star) {
            pattern = star + 1;
            action = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool is_listed(const cJSON *patterns, const char *action)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, patterns)
    {
        if (cJSON_IsString(p) && skl_azure_action_matches(p->valuestring, action))
            return true;
    }
    return false;
}

struct rights {
    const char *const *actions;
    bool granted[32];
};

static bool add_role(void *arg, const cJSON *role)
{
    struct rights *r = arg;

    for (size_t i = 0; r->actions[i] && i < SKL_ARRAY_LEN(r->granted); i++)
        r->granted[i] |= is_listed(skl_json_get(role, "actions"), r->actions[i]) &&
                         !is_listed(skl_json_get(role, "notActions"), r->actions[i]);
    return true;
}

static void check_rights(struct skl_azure *a, const struct skl_azure_subject *s,
                         const struct skl_findings *to)
{
    SKL_AUTO_BUF struct skl_buf path = {0}, missing = {0};
    struct rights rights = {.actions = s->actions};
    struct skl_error err;
    size_t n = 0;

    skl_buf_init(&path, 4 * SKL_KIB);
    skl_buf_init(&missing, 4 * SKL_KIB);
    skl_buf_addf(&path, "%s/providers/Microsoft.Authorization/permissions", s->group_path);
    if (skl_arm_list(a->arm,
                     &(struct skl_arm_call){.operation = "doctor.permissions",
                                            .what = "asking for the rights",
                                            .method = "GET",
                                            .path = path.p,
                                            .api_version = PERMISSIONS_API,
                                            .no_retry = true,
                                            .deadline_ms = soon()},
                     add_role, &rights, &err) < 0) {
        skl_find(to, SKL_GRADE_WARN, "permissions",
                 "allow Microsoft.Authorization/permissions/read, so that rights can be compared",
                 "%s", err.msg);
        return;
    }
    for (; s->actions[n] && n < SKL_ARRAY_LEN(rights.granted); n++)
        if (!rights.granted[n])
            skl_buf_addf(&missing, "%s%s", missing.n ? ", " : "", s->actions[n]);
    if (missing.n)
        skl_find(to, SKL_GRADE_FAIL, "permissions", ROLE_FIX, "not permitted: %s", missing.p);
    else
        skl_find_ok(to, "permissions", "all %zu actions of the backend are permitted", n);
}

/* -- logs */

static void check_workspace(struct skl_azure *a, const struct skl_azure_subject *s,
                            const struct skl_findings *to)
{
    SKL_AUTO_LOGS_TABLE struct skl_logs_table table = {0};
    SKL_AUTO_BUF struct skl_buf fix = {0};
    struct skl_error err;

    if (!a->logs) {
        skl_find(to, SKL_GRADE_WARN, "log workspace",
                 "set it to the workspace's GUID or resource ID",
                 "%s is not set: containers without an agent have no logs", s->workspace_setting);
        return;
    }
    skl_buf_init(&fix, SKL_KIB);
    skl_buf_addf(&fix,
                 "set %s to the GUID (customer ID) or resource ID of a workspace, and give the "
                 "identity the role "
                 "Log Analytics Reader on it",
                 s->workspace_setting);
    if (skl_logs_query(a->logs, "datatable(found:int)[1]", "PT1H", soon(), NULL, &table, &err) < 0)
        skl_find(to, SKL_GRADE_FAIL, "log workspace", fix.p, "%s", err.msg);
    else
        skl_find_ok(to, "log workspace", "it answers queries");
}

bool skl_azure_diagnose(struct skl_azure *a, const struct skl_azure_subject *s,
                        const struct skl_findings *to)
{
    if (!s->is_simulator)
        skl_cloud_judge_callback(s->callback_url, to);
    if (!check_apis(a, to) || !check_token(a, "credentials", SKL_AZURE_ARM, to) ||
        !check_group(a, s, to))
        return false;
    check_rights(a, s, to);
    check_workspace(a, s, to);
    return true;
}
