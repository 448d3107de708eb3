/* diagnosis - the checks of `doctor` that every backend on Azure needs: APIs, clock, credentials, resource group, rights,
 * log workspace.
 *
 * Thread  any; blocks for seconds
 */
#ifndef SKL_CLOUD_AZURE_DIAGNOSIS_H
#define SKL_CLOUD_AZURE_DIAGNOSIS_H

#include "base/finding.h"
#include "cloud/azure/azure.h"

struct skl_azure_subject {
    const char *group_path;    /* /subscriptions/S/resourceGroups/G */
    const char *group_setting; /* "SOCKERLESS_X_RESOURCE_GROUP" */
    const char *workspace_setting;
    const char *const *actions; /* what the backend does in the group, NULL-terminated */
    const char *callback_url;
    bool is_simulator;
};

/* false: nothing below the resource group can be looked at. */
bool skl_azure_diagnose(struct skl_azure *a, const struct skl_azure_subject *s,
                        const struct skl_findings *to);

/* Reads one resource; what it is like is for the caller to say. false: told as a failure of `check`. */
bool skl_azure_look(struct skl_azure *a, const char *check, const char *path,
                    const char *api_version, const char *missing_fix, const struct skl_findings *to,
                    struct skl_arm_result *ret);

/* A pattern of a role against an action, in any case; a star stands for anything. */
bool skl_azure_action_matches(const char *pattern, const char *action);

#endif
