/* The Function App of a container: made, switched on and off, removed.
 *
 * A site's name is a host name, unique over all of Azure: when a stranger has it, the next of a few derived names is
 * taken, so that after a crash it is known which names may be ours. PUT may be repeated; a name that is taken answers
 * 409, and so does an operation in progress.
 */
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"

#define BUSY_WAIT_MS 1000
/* The plan of the last site goes with it by default: here it would be the user's own. */
#define KEEP_PLAN "deleteMetrics=true&deleteEmptyServerFarm=false"

void skl_azf_site_name(const char *short_id, unsigned i, char out[SKL_AZF_NAME_LEN])
{
    if (i == 0)
        snprintf(out, SKL_AZF_NAME_LEN, "skls-%s", short_id);
    else
        snprintf(out, SKL_AZF_NAME_LEN, "skls-%s-%u", short_id, i + 1);
}

static void site_path(const char *site, const char *rest, char out[128])
{
    snprintf(out, 128, "/sites/%s%s", site, rest);
}

static enum skl_azf_site_state state_of(const cJSON *site)
{
    const char *state = skl_json_get_str(skl_json_get(site, "properties"), "state");

    return skl_str_ieqz(skl_str(state), "Running") ? SKL_AZF_STARTED : SKL_AZF_STOPPED;
}

static int get_site(struct skl_azf *azf, struct skl_call *call, const char *site,
                    struct skl_arm_result *ret, struct skl_error *err)
{
    char path[128];

    site_path(site, "", path);
    return skl_azf_web_call(azf, call, "sites.get", "GET", path, NULL, NULL, false, ret, err);
}

int skl_azf_site_state(struct skl_azf *azf, struct skl_call *call, const char *site,
                       enum skl_azf_site_state *ret, struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    int rc = get_site(azf, call, site, &result, err);

    *ret = SKL_AZF_ABSENT;
    if (rc == -SKL_E_NOTFOUND)
        return 0;
    if (rc == 0)
        *ret = state_of(result.json);
    return rc;
}

/* -- making */

/* The site is listed before it has a state and a name. */
static int await_host(struct skl_azf *azf, struct skl_call *call, const char *site, char **ret_host,
                      struct skl_error *err)
{
    for (;;) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
        const cJSON *properties;
        const char *host;
        int rc = get_site(azf, call, site, &result, err);

        if (rc < 0 && rc != -SKL_E_NOTFOUND)
            return rc;
        properties = rc == 0 ? skl_json_get(result.json, "properties") : NULL;
        host = skl_json_get_str(properties, "defaultHostName");
        if (skl_json_get_str(properties, "state") && !skl_str_empty(host)) {
            *ret_host = skl_strdup(host);
            return 0;
        }
        rc = skl_cloud_sleep(azf->poll_ms, call->deadline_ms, &call->canceled, err);
        if (rc < 0)
            return rc;
    }
}

static bool is_taken(const struct skl_error *err)
{
    return strstr(err->msg, "already exists") || strstr(err->msg, "not available");
}

/* CONFLICT: a stranger has the name. */
static int put_site(struct skl_azf *azf, struct skl_call *call, const char *site, const char *spec,
                    struct skl_error *err)
{
    char path[128];

    site_path(site, "", path);
    for (;;) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
        struct skl_error why;
        int rc = skl_azf_web_call(azf, call, "sites.create", "PUT", path, NULL, spec, true, &result,
                                  &why);

        if (rc != -SKL_E_CONFLICT || is_taken(&why)) {
            if (rc < 0)
                *err = why;
            return rc;
        }
        rc = skl_cloud_sleep(BUSY_WAIT_MS, call->deadline_ms, &call->canceled, err);
        if (rc < 0)
            return rc;
    }
}

static int make_site(struct skl_azf *azf, struct skl_call *call, const char *spec,
                     struct skl_outcome *ret, struct skl_error *err)
{
    char name[SKL_AZF_NAME_LEN], *host SKL_AUTO_STR = NULL;
    int rc = -SKL_E_CONFLICT;

    for (unsigned i = 0; rc == -SKL_E_CONFLICT && i < SKL_AZF_NAMES; i++) {
        skl_azf_site_name(call->c->short_id, i, name);
        rc = put_site(azf, call, name, spec, err);
    }
    if (rc == 0)
        rc = await_host(azf, call, name, &host, err);
    if (rc < 0)
        return rc;
    skl_labels_set(&ret->cloud, SKL_AZF_SITE, name);
    skl_labels_set(&ret->cloud, SKL_AZF_HOST, host);
    return 0;
}

int skl_azf_site_ensure(struct skl_azf *azf, struct skl_call *call, struct skl_outcome *ret,
                        struct skl_error *err)
{
    char *plan SKL_AUTO_STR = NULL, *key SKL_AUTO_SECRET = NULL, *spec SKL_AUTO_SECRET = NULL;
    bool elastic = false;
    int rc;

    rc = skl_azf_storage_key(azf, call, &key, err);
    if (rc == 0)
        rc = skl_azf_plan_ensure(azf, call, &plan, &elastic, err);
    if (rc == 0)
        rc = skl_azf_site_spec(azf, call->c, plan, elastic, key, &spec, err);
    return rc < 0 ? rc : make_site(azf, call, spec, ret, err);
}

/* -- on and off */

int skl_azf_site_switch(struct skl_azf *azf, struct skl_call *call, const char *site, bool on,
                        struct skl_error *err)
{
    char path[128];
    bool asked = false;

    site_path(site, on ? "/start" : "/stop", path);
    for (;;) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
        enum skl_azf_site_state state;
        int rc = skl_azf_site_state(azf, call, site, &state, err);

        if (rc < 0)
            return rc;
        if (state == SKL_AZF_ABSENT)
            return on ? skl_fail(err, SKL_E_NOTFOUND, "the Function App '%s' is gone", site) : 0;
        if (state == (on ? SKL_AZF_STARTED : SKL_AZF_STOPPED))
            return 0;
        if (!asked) {
            rc = skl_azf_web_call(azf, call, on ? "sites.start" : "sites.stop", "POST", path, NULL,
                                  NULL, false, &result, err);
            if (rc < 0 && rc != -SKL_E_NOTFOUND) /* right after the creation: look again */
                return rc;
            asked = rc == 0;
        }
        rc = skl_cloud_sleep(azf->poll_ms, call->deadline_ms, &call->canceled, err);
        if (rc < 0)
            return rc;
    }
}

/* -- removing */

static bool is_ours(const cJSON *site, const char *id)
{
    return skl_streq(skl_json_get_str(skl_json_get(site, "tags"), "sockerless-container-id"), id);
}

int skl_azf_site_delete(struct skl_azf *azf, struct skl_call *call, const char *site,
                        struct skl_error *err)
{
    SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
    char path[128];
    int rc;

    site_path(site, "", path);
    rc = skl_azf_web_call(azf, call, "sites.delete", "DELETE", path, KEEP_PLAN, NULL, true, &result,
                          err);
    return rc == -SKL_E_NOTFOUND ? 0 : rc;
}

int skl_azf_site_remove(struct skl_azf *azf, struct skl_call *call, struct skl_error *err)
{
    const char *site = skl_labels_get(&call->c->cloud, SKL_AZF_SITE);
    int rc = 0;

    if (!site)
        return 0;
    if (skl_labels_get(&call->c->cloud, SKL_AZF_HOST))
        return skl_azf_site_delete(azf, call, site, err);
    /* Its creation was not finished: it may stand under any of the names, if at all. */
    for (unsigned i = 0; rc == 0 && i < SKL_AZF_NAMES; i++) {
        SKL_AUTO_ARM_RESULT struct skl_arm_result result = {0};
        char name[SKL_AZF_NAME_LEN];

        skl_azf_site_name(call->c->short_id, i, name);
        rc = get_site(azf, call, name, &result, err);
        if (rc == -SKL_E_NOTFOUND)
            rc = 0;
        else if (rc == 0 && is_ours(result.json, call->c->id))
            rc = skl_azf_site_delete(azf, call, name, err);
    }
    return rc;
}
