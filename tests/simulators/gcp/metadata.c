/* The metadata server, on the simulator's own address: GCE_METADATA_HOST names it. */
#include "base/alloc.h"
#include "sim.h"

#define PREFIX   "/computeMetadata/v1/"
#define INSTANCE PREFIX "instance/service-accounts/default/"

static void plain(struct sim_answer *a, int status, const char *text)
{
    sim_text(a, status, text);
    a->type = status == 200 ? "application/text" : "text/html; charset=UTF-8";
}

static void access_token(struct sim *s, const char *email, struct sim_answer *a)
{
    char *text SKL_AUTO_STR =
        gcp_format("{\"access_token\":\"%s\",\"expires_in\":%lld,\"token_type\":\"Bearer\"}",
                   gcp_token_issue(s, email, s->options->token_lifetime_s),
                   (long long)s->options->token_lifetime_s);

    sim_text(a, 200, text);
}

static void identity(struct sim *s, const struct sim_request *r, const char *email,
                     struct sim_answer *a)
{
    char *audience SKL_AUTO_STR = sim_query(r, "audience");
    char *format SKL_AUTO_STR = sim_query(r, "format");
    char *token SKL_AUTO_STR = NULL;

    if (skl_str_empty(audience)) {
        plain(a, 400, "non-empty audience parameter required\n");
        return;
    }
    token = gcp_id_token(s, email, audience, skl_streq(format, "full"));
    plain(a, 200, token);
}

static void answer_path(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *own SKL_AUTO_STR = gcp_format(GCP_ACCOUNT, s->options->project);
    const char *email =
        skl_str_empty(s->options->metadata_email) ? own : s->options->metadata_email;
    char *number SKL_AUTO_STR = gcp_format("%lld", (long long)s->options->project_number);
    char *region SKL_AUTO_STR = gcp_format("projects/%s/regions/us-central1", number);
    struct skl_str path = skl_str(r->path);

    if (skl_str_eqz(path, INSTANCE "token"))
        access_token(s, email, a);
    else if (skl_str_eqz(path, INSTANCE "identity"))
        identity(s, r, email, a);
    else if (skl_str_eqz(path, INSTANCE "email"))
        plain(a, 200, email);
    else if (skl_str_eqz(path, INSTANCE) || skl_str_eqz(path, PREFIX "instance"))
        plain(a, 200, "aliases\nemail\nidentity\nscopes\ntoken\n");
    else if (skl_str_eqz(path, INSTANCE "scopes"))
        plain(a, 200, "https://www.googleapis.com/auth/cloud-platform\n");
    else if (skl_str_eqz(path, PREFIX "project/project-id"))
        plain(a, 200, s->options->project);
    else if (skl_str_eqz(path, PREFIX "project/numeric-project-id"))
        plain(a, 200, number);
    else if (skl_str_eqz(path, PREFIX "instance/region"))
        plain(a, 200, region);
    else if (skl_str_eqz(path, PREFIX "universe/universe-domain") ||
             skl_str_eqz(path, PREFIX "universe/universe_domain"))
        plain(a, 200, "googleapis.com");
    else
        plain(a, 404, "<html><title>Error 404 (Not Found)!!1</title></html>\n");
}

bool gcp_metadata(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    bool is_root = strcmp(r->path, "/") == 0;

    if (!is_root && !skl_str_starts(skl_str(r->path), "/computeMetadata"))
        return false;
    skl_buf_adds(&a->headers, "Metadata-Flavor: Google\r\nServer: Metadata Server for VM\r\n");
    if (!is_root && !skl_streq(sim_header(r, "Metadata-Flavor"), "Google"))
        plain(a, 403, "Missing Metadata-Flavor:Google header.\n");
    else if (sim_header(r, "X-Forwarded-For"))
        plain(a, 403, "Requests through a proxy are refused.\n");
    else if (is_root)
        plain(a, 200, "computeMetadata/\n");
    else
        answer_path(s, r, a);
    gcp_count(s, "metadata");
    return true;
}
