/* Which registry an image comes from, and with which credentials the platform pulls it. */
#include "cloud/azure/registry_login.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/json_read.h"
#include "base/limits.h"

static char *server_of(const char *image_ref)
{
    struct skl_str rest, first = skl_str_cut(skl_str(image_ref), '/', &rest);

    if (!rest.p || (!skl_str_find(first, '.') && !skl_str_find(first, ':') &&
                    !skl_str_eqz(first, "localhost")))
        return skl_strdup("docker.io");
    return skl_str_dup(first);
}

void skl_azure_registry_login(const char *image_ref, const char *registry_auth,
                              struct skl_azure_registry_login *ret)
{
    SKL_AUTO_BUF struct skl_buf text = {0};
    SKL_AUTO_JSON cJSON *auth = NULL;
    const char *user, *password;

    *ret = (struct skl_azure_registry_login){.server = server_of(image_ref)};
    skl_buf_init(&text, 64 * SKL_KIB);
    if (skl_str_empty(registry_auth) || !skl_base64_decode(&text, skl_str(registry_auth)) ||
        skl_json_parse(skl_buf_str(&text), &auth, NULL) < 0)
        return; /* the client sends "{}" or nothing when it has none */
    user = skl_json_get_str(auth, "username");
    password = skl_json_get_str(auth, "password");
    if (!skl_str_empty(user) && !skl_str_empty(password)) {
        ret->username = skl_strdup(user);
        ret->password = skl_strdup(password);
    }
}

void skl_azure_registry_login_fini(struct skl_azure_registry_login *l)
{
    free(l->server);
    free(l->username);
    skl_secret_free(l->password);
}
