/* auth_options - the settings of Google credentials as rows of a backend's option table: the names that Google's own
 * libraries read. `auth_member` is a struct skl_gcp_auth_settings in the backend's struct `config_type`. The invoker's
 * account is the backend's own row.
 */
#ifndef SKL_CLOUD_GCP_AUTH_OPTIONS_H
#define SKL_CLOUD_GCP_AUTH_OPTIONS_H

#include <stddef.h>

#include "base/option.h"
#include "cloud/gcp/credential.h"

/* clang-format off: a table is read by its rows */
#define SKL_GCP_AUTH_ROW(config_type, auth_member, field)                                          \
    .offset = offsetof(config_type, auth_member.field)

#define SKL_GCP_AUTH_OPTIONS(config_type, auth_member)                                             \
    {.env = "GOOGLE_APPLICATION_CREDENTIALS",                                                      \
     SKL_GCP_AUTH_ROW(config_type, auth_member, credentials_file),                                 \
     .help = "the file with Google credentials"},                                                  \
        {.env = "CLOUDSDK_CONFIG",                                                                 \
         SKL_GCP_AUTH_ROW(config_type, auth_member, config_dir),                                   \
         .help = "the folder of gcloud, where it keeps its credentials file"},                     \
        {.env = "HOME",                                                                            \
         SKL_GCP_AUTH_ROW(config_type, auth_member, home),                                         \
         .help = "the folder with gcloud's own, .config/gcloud"},                                  \
        {.env = "GCE_METADATA_HOST",                                                               \
         SKL_GCP_AUTH_ROW(config_type, auth_member, metadata_host),                                \
         .help = "the host and port of the metadata server"},                                      \
        {.env = "NO_GCE_CHECK",                                                                    \
         SKL_GCP_AUTH_ROW(config_type, auth_member, no_metadata),                                  \
         .help = "true: do not look for the metadata server"},                                     \
    {                                                                                              \
        .env = "GOOGLE_CLOUD_QUOTA_PROJECT",                                                       \
        SKL_GCP_AUTH_ROW(config_type, auth_member, quota_project),                                 \
        .help = "the project whose quota calls count for"                                          \
    }
/* clang-format on */

#endif
