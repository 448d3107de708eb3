/* The files that Application Default Credentials read, for this simulator: one of each type that its token endpoints
 * serve, so that a client of any kind starts with one environment variable. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "sim.h"

static void add_service_account(struct sim *s, struct skl_json *j, const char *email)
{
    skl_json_str(j, "project_id", s->options->project);
    skl_json_str(j, "private_key_id", gcp_keys_account_id(s->keys));
    skl_json_str(j, "private_key", gcp_keys_account_pem(s->keys));
    skl_json_str(j, "client_email", email);
    skl_json_str(j, "client_id", "100000000000000000001");
    skl_json_strf(j, "token_uri", "%s/token", s->base);
    skl_json_str(j, "universe_domain", "googleapis.com");
}

static void add_authorized_user(struct sim *s, struct skl_json *j)
{
    const char *refresh = s->options->refresh_token;

    skl_json_str(j, "client_id", "764086051850-simulator.apps.googleusercontent.com");
    skl_json_str(j, "client_secret", "simulated-client-secret");
    skl_json_str(j, "refresh_token", skl_str_empty(refresh) ? "simulated-refresh-token" : refresh);
    skl_json_strf(j, "token_uri", "%s/token", s->base);
}

static void add_external_account(struct sim *s, struct skl_json *j, const char *email,
                                 const char *dir)
{
    skl_json_strf(j, "audience",
                  "//iam.googleapis.com/projects/%lld/locations/global/workloadIdentityPools/"
                  "sockerless/providers/sockerless",
                  (long long)s->options->project_number);
    skl_json_str(j, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
    skl_json_strf(j, "token_url", "%s/v1/token", s->base);
    skl_json_strf(j, "service_account_impersonation_url",
                  "%s/v1/projects/-/serviceAccounts/%s:generateAccessToken", s->base, email);
    skl_json_object(j, "credential_source");
    skl_json_strf(j, "file", "%s/subject-token", dir);
    skl_json_end_object(j);
}

char *gcp_credentials_text(struct sim *s, const char *type, const char *dir)
{
    char *email SKL_AUTO_STR = gcp_format(GCP_ACCOUNT, s->options->project);
    struct skl_json j;
    struct skl_buf b;

    skl_buf_init(&b, 64 * SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_str(&j, "type", type);
    if (skl_streq(type, "service_account")) {
        add_service_account(s, &j, email);
    } else if (skl_streq(type, "authorized_user")) {
        add_authorized_user(s, &j);
    } else if (skl_streq(type, "external_account")) {
        add_external_account(s, &j, email, dir);
    } else {
        skl_buf_fini(&b);
        return NULL;
    }
    skl_json_end_object(&j);
    return skl_buf_detach(&b);
}

static int write_file(const char *dir, const char *name, const char *text, struct skl_error *err)
{
    char *path SKL_AUTO_STR = gcp_format("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok ? 0 : skl_fail_errno(err, errno, "--credentials-dir: writing '%s'", path);
}

int gcp_credentials_write(struct sim *s, const char *dir, struct skl_error *err)
{
    static const char *const types[] = {"service_account", "authorized_user", "external_account"};
    const char *subject = s->options->subject_token;
    int rc = 0;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return skl_fail_errno(err, errno, "--credentials-dir '%s'", dir);
    for (size_t i = 0; rc == 0 && i < SKL_ARRAY_LEN(types); i++) {
        char *text SKL_AUTO_STR = gcp_credentials_text(s, types[i], dir);
        char *name SKL_AUTO_STR = gcp_format("%s.json", types[i]);

        rc = write_file(dir, name, text, err);
    }
    if (rc == 0)
        rc = write_file(dir, "subject-token",
                        skl_str_empty(subject) ? "simulated-subject-token" : subject, err);
    return rc;
}
