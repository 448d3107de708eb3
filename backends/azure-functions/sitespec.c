/* A container as the body of a Function App.
 *
 * App Service has a field for the image, one line of words for its command and a flat list of settings for the
 * environment. What does not fit there (odd variable names, quoting, working directory, user, terminal) travels in the
 * agent's START; the words after "--" are for people who look at the site. The line replaces the image's CMD, never its
 * ENTRYPOINT: an image with an ENTRYPOINT that does not run its arguments needs the agent inside (README.md).
 */
#include <ctype.h>
#include <stdio.h>

#include "azf.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "cloud/azure/registry_login.h"
#include "docker/images/reference.h"

#define START_LIMIT_S "1800" /* the most that App Service gives: image pulls are long */
#define MOUNT_PATH    "/sockerless"

/* -- settings: names that App Service takes, and that are not its own */

static bool is_carried(const char *name, size_t n)
{
    static const char *const theirs[] = {"SOCKERLESS_", "WEBSITE",      "DOCKER_",
                                         "FUNCTIONS_",  "AzureWebJobs", "AzureFunctionsJobHost"};

    if (n == 0 || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '.')
            return false;
    for (size_t i = 0; i < SKL_ARRAY_LEN(theirs); i++)
        if (skl_str_istarts(skl_str_n(name, n), theirs[i]))
            return false;
    return true;
}

static void add_setting(struct skl_json *j, const char *name, const char *value)
{
    skl_json_object(j, NULL);
    skl_json_str(j, "name", name);
    skl_json_str(j, "value", value);
    skl_json_end_object(j);
}

static void add_environment(struct skl_json *j, const struct skl_container_snapshot *c)
{
    for (char **p = c->spec.env; p && *p; p++) {
        const char *equals = strchr(*p, '=');

        if (!equals || !is_carried(*p, (size_t)(equals - *p)))
            continue;
        skl_json_object(j, NULL);
        skl_json_strn(j, "name", skl_str_n(*p, (size_t)(equals - *p)));
        skl_json_str(j, "value", equals + 1);
        skl_json_end_object(j);
    }
}

static void add_registry(struct skl_json *j, const struct skl_azf *azf,
                         const struct skl_container_snapshot *c, const char *reference)
{
    struct skl_azure_registry_login login;
    char url[300];

    skl_azure_registry_login(reference, c->spec.registry_auth, &login);
    if (login.username || skl_streq(login.server, azf->config->registry)) {
        snprintf(url, sizeof(url), "https://%s",
                 skl_streq(login.server, "docker.io") ? "index.docker.io" : login.server);
        add_setting(j, "DOCKER_REGISTRY_SERVER_URL", url);
    }
    if (login.username) {
        add_setting(j, "DOCKER_REGISTRY_SERVER_USERNAME", login.username);
        add_setting(j, "DOCKER_REGISTRY_SERVER_PASSWORD", login.password);
    }
    skl_azure_registry_login_fini(&login);
}

static void add_storage(struct skl_json *j, const struct skl_azf *azf, const char *key)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 4 * SKL_KIB);
    skl_buf_addf(&b,
                 "DefaultEndpointsProtocol=https;AccountName=%s;AccountKey=%s;"
                 "EndpointSuffix=core.windows.net",
                 azf->config->storage_account, key);
    add_setting(j, "AzureWebJobsStorage", b.p);
    explicit_bzero(b.p, b.n);
}

static void add_settings(struct skl_json *j, const struct skl_azf *azf,
                         const struct skl_container_snapshot *c, const char *reference,
                         const char *storage_key)
{
    int64_t s = azf->config->timeout_s;
    char text[32];

    skl_json_array(j, "appSettings");
    add_environment(j, c);
    add_setting(j, "FUNCTIONS_EXTENSION_VERSION", "~4");
    add_setting(j, "WEBSITES_ENABLE_APP_SERVICE_STORAGE", "false");
    add_storage(j, azf, storage_key);
    snprintf(text, sizeof(text), "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60),
             (int)(s % 60));
    add_setting(j, "AzureFunctionsJobHost__functionTimeout", text);
    add_setting(j, "WEBSITES_CONTAINER_START_TIME_LIMIT", START_LIMIT_S);
    add_registry(j, azf, c, reference);
    if (azf->has_agent) {
        snprintf(text, sizeof(text), "%d", SKL_AZF_PORT);
        add_setting(j, "WEBSITES_PORT", text);
        add_setting(j, "SOCKERLESS_CONTAINER_ID", c->id);
        add_setting(j, "SOCKERLESS_AGENT_TOKEN", c->token);
        add_setting(j, "SOCKERLESS_AGENT_CALLBACK_URL", azf->config->callback_url);
        if (c->agent_ca)
            add_setting(j, "SOCKERLESS_AGENT_CA", c->agent_ca);
    }
    skl_json_end_array(j);
}

/* -- the command */

static bool is_plain(const char *word)
{
    if (!*word)
        return false;
    for (; *word; word++)
        if (!isalnum((unsigned char)*word) && !strchr("_-./:=@,+%", *word))
            return false;
    return true;
}

/* How App Service takes a line apart is not documented: only words that need no quotes are put in. */
static bool add_words(struct skl_buf *b, char *const *argv)
{
    for (char *const *p = argv; p && *p; p++)
        if (!is_plain(*p))
            return false;
    for (; argv && *argv; argv++)
        skl_buf_addf(b, "%s%s", b->n ? " " : "", *argv);
    return true;
}

static int add_command(struct skl_json *j, const struct skl_azf *azf,
                       const struct skl_container_snapshot *c, struct skl_error *err)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 64 * SKL_KIB);
    if (azf->has_agent) {
        skl_buf_addf(&b, "%s --http-port %d --http-hold %d --http-stay --", azf->config->agent_path,
                     SKL_AZF_PORT, (int)azf->config->invocation_hold_s);
        (void)add_words(&b, c->spec.argv);
    } else if (!add_words(&b, c->spec.argv)) {
        return skl_fail(err, SKL_E_INVALID,
                        "without an agent a command on Azure Functions can only have plain words "
                        "(letters, digits, _-./:=@,+%%): set SOCKERLESS_CALLBACK_URL");
    }
    skl_json_strn(j, "appCommandLine", skl_buf_str(&b));
    return 0;
}

/* -- the image */

static int full_reference(const struct skl_azf *azf, const struct skl_container_snapshot *c,
                          char **ret, struct skl_error *err)
{
    SKL_AUTO_REFERENCE struct skl_reference r = {0};
    struct skl_str rest, first = skl_str_cut(skl_str(c->spec.image), '/', &rest);
    bool names_registry = rest.p && (skl_str_find(first, '.') || skl_str_find(first, ':') ||
                                     skl_str_eqz(first, "localhost"));
    int rc = skl_reference_parse(c->spec.image_ref, &r, err);

    if (rc < 0)
        return rc;
    skl_reference_default_tag(&r);
    if (!names_registry && !skl_str_empty(azf->config->registry) &&
        skl_streq(r.domain, "docker.io")) {
        skl_strset(&r.domain, azf->config->registry);
        if (skl_str_starts(skl_str(r.path), "library/"))
            skl_strset(&r.path, r.path + strlen("library/"));
    }
    *ret = skl_reference_full(&r);
    return 0;
}

/* -- the whole */

static void add_share(struct skl_json *j, const struct skl_azf *azf, const char *key)
{
    skl_json_object(j, "azureStorageAccounts");
    skl_json_object(j, "sockerless");
    skl_json_str(j, "type", "AzureFiles");
    skl_json_str(j, "protocol", "Smb");
    skl_json_str(j, "accountName", azf->config->storage_account);
    skl_json_str(j, "shareName", azf->config->agent_share);
    skl_json_str(j, "accessKey", key);
    skl_json_str(j, "mountPath", MOUNT_PATH);
    skl_json_end_object(j);
    skl_json_end_object(j);
}

static void add_scale(struct skl_json *j, bool elastic)
{
    /* One container is one instance, and it stays while nobody asks it anything. */
    if (elastic) {
        skl_json_int(j, "functionAppScaleLimit", 1);
        skl_json_int(j, "minimumElasticInstanceCount", 1);
    } else {
        skl_json_bool(j, "alwaysOn", true);
        skl_json_int(j, "numberOfWorkers", 1);
    }
}

static void add_identity(struct skl_json *j, const struct skl_azf *azf)
{
    if (skl_str_empty(azf->config->registry_identity))
        return;
    skl_json_object(j, "identity");
    skl_json_str(j, "type", "UserAssigned");
    skl_json_object(j, "userAssignedIdentities");
    skl_json_raw(j, azf->config->registry_identity, "{}");
    skl_json_end_object(j);
    skl_json_end_object(j);
}

static int add_site_config(struct skl_json *j, const struct skl_azf *azf,
                           const struct skl_container_snapshot *c, bool elastic,
                           const char *storage_key, struct skl_error *err)
{
    char *reference SKL_AUTO_STR = NULL;
    int rc = full_reference(azf, c, &reference, err);

    if (rc < 0)
        return rc;
    skl_json_object(j, "siteConfig");
    skl_json_strf(j, "linuxFxVersion", "DOCKER|%s", reference);
    rc = add_command(j, azf, c, err);
    add_scale(j, elastic);
    if (!skl_str_empty(azf->config->registry_identity)) {
        skl_json_bool(j, "acrUseManagedIdentityCreds", true);
        skl_json_str(j, "acrUserManagedIdentityID", azf->config->registry_identity_client);
    }
    if (azf->has_share)
        add_share(j, azf, storage_key);
    add_settings(j, azf, c, reference, storage_key);
    skl_json_end_object(j);
    return rc;
}

int skl_azf_site_spec(const struct skl_azf *azf, const struct skl_container_snapshot *c,
                      const char *plan_id, bool elastic, const char *storage_key, char **ret,
                      struct skl_error *err)
{
    struct skl_json j;
    struct skl_buf b;
    int rc;

    skl_buf_init(&b, 8 * SKL_MIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "location", azf->config->location);
    skl_json_str(&j, "kind", "functionapp,linux,container");
    skl_azure_tags_add(&j, c->id, c->instance);
    add_identity(&j, azf);
    skl_json_object(&j, "properties");
    skl_json_str(&j, "serverFarmId", plan_id);
    skl_json_bool(&j, "reserved", true);
    skl_json_bool(&j, "httpsOnly", true);
    skl_json_bool(&j, "clientAffinityEnabled", false);
    if (!skl_str_empty(azf->config->subnet))
        skl_json_str(&j, "virtualNetworkSubnetId", azf->config->subnet);
    rc = add_site_config(&j, azf, c, elastic, storage_key, err);
    skl_json_end_object(&j);
    skl_json_end_object(&j);
    if (rc == 0)
        return skl_buf_finish(&b, ret, err);
    skl_secret_free(skl_buf_detach(&b));
    return rc;
}
