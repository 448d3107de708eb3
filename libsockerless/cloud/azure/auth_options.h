/* auth_options - the settings of Azure credentials as rows of a backend's option table: the names that Azure's own SDKs
 * read. `auth_member` is a struct skl_azure_auth_settings in the backend's struct `config_type`.
 */
#ifndef SKL_CLOUD_AZURE_AUTH_OPTIONS_H
#define SKL_CLOUD_AZURE_AUTH_OPTIONS_H

#include <stddef.h>

#include "base/option.h"
#include "cloud/azure/credential.h"

/* clang-format off: a table is read by its rows */
#define SKL_AZURE_AUTH_ROW(config_type, auth_member, field)                                        \
    .offset = offsetof(config_type, auth_member.field)

#define SKL_AZURE_AUTH_OPTIONS(config_type, auth_member)                                           \
    {.env = "AZURE_TENANT_ID",                                                                     \
     SKL_AZURE_AUTH_ROW(config_type, auth_member, tenant_id),                                      \
     .help = "the Microsoft Entra tenant"},                                                        \
        {.env = "AZURE_CLIENT_ID",                                                                 \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, client_id),                                  \
         .help = "the application or managed identity"},                                           \
        {.env = "AZURE_CLIENT_SECRET",                                                             \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, client_secret),                              \
         .type = SKL_OPTION_SECRET,                                                                \
         .help = "the application's secret"},                                                      \
        {.env = "AZURE_CLIENT_CERTIFICATE_PATH",                                                   \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, certificate_path),                           \
         .help = "a PEM file with the application's certificate and key"},                         \
        {.env = "AZURE_CLIENT_CERTIFICATE_PASSWORD",                                               \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, certificate_password),                       \
         .type = SKL_OPTION_SECRET,                                                                \
         .help = "the password of that key"},                                                      \
        {.env = "AZURE_FEDERATED_TOKEN_FILE",                                                      \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, federated_token_file),                       \
         .help = "the token file of workload identity federation"},                                \
        {.env = "AZURE_AUTHORITY_HOST",                                                            \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, authority_host),                             \
         .help = "the URL that issues tokens"},                                                    \
        {.env = "IDENTITY_ENDPOINT",                                                               \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, identity_endpoint),                          \
         .help = "the managed identity endpoint of App Service and Container Apps"},               \
        {.env = "IDENTITY_HEADER",                                                                 \
         SKL_AZURE_AUTH_ROW(config_type, auth_member, identity_header),                            \
         .type = SKL_OPTION_SECRET,                                                                \
         .help = "the secret of that endpoint"},                                                   \
    {                                                                                              \
        .env = "AZURE_POD_IDENTITY_AUTHORITY_HOST",                                                \
        SKL_AZURE_AUTH_ROW(config_type, auth_member, imds_host),                                   \
        .help = "the URL of the instance metadata service"                                         \
    }
/* clang-format on */

#endif
