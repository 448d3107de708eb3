/* registry_login - which registry an image comes from, and with which credentials Azure pulls it.
 *
 * Owns    its strings: skl_azure_registry_login_fini()
 * Thread  any
 */
#ifndef SKL_CLOUD_AZURE_REGISTRY_LOGIN_H
#define SKL_CLOUD_AZURE_REGISTRY_LOGIN_H

struct skl_azure_registry_login {
    char *server;              /* host[:port], "docker.io" where the reference names none */
    char *username, *password; /* username NULL: none */
};

/* registry_auth: the client's X-Registry-Auth, base64 of JSON; NULL, "{}" and what cannot be read are no
 * credentials. */
void skl_azure_registry_login(const char *image_ref, const char *registry_auth,
                              struct skl_azure_registry_login *ret);
void skl_azure_registry_login_fini(struct skl_azure_registry_login *l);

#endif
