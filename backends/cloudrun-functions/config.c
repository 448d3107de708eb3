/* The settings of this backend: one row each; README.md's table is the same list. */
#include <stddef.h>

#include "cloud/gcp/auth_options.h"
#include "gcf.h"

#define ROW(member) .offset = offsetof(struct skl_gcf_config, member)

/* clang-format off: a table is read by its rows */
const struct skl_option skl_gcf_options[] = {
    {.env = "SOCKERLESS_GCF_PROJECT",
     ROW(project),
     .required = true,
     .help = "the Google Cloud project ID"},
    {.env = "SOCKERLESS_GCF_REGION",
     ROW(region),
     .dflt = "us-central1",
     .help = "the Google Cloud region"},
    {.env = "SOCKERLESS_GCF_SERVICE_ACCOUNT",
     ROW(service_account),
     .help = "the email of the service account that functions run as; without it the project's "
             "default one"},
    {.env = "SOCKERLESS_GCF_TIMEOUT",
     ROW(timeout_s),
     .type = SKL_OPTION_INT,
     .dflt = "3600",
     .min = 1,
     .max = 3600,
     .help = "seconds that a request may last; a container goes on in the next one"},
    {.env = "SOCKERLESS_GCF_MEMORY",
     ROW(memory),
     .dflt = "1Gi",
     .help = "the memory of a container that asks for none, files included"},
    {.env = "SOCKERLESS_GCF_CPU",
     ROW(cpu),
     .dflt = "1",
     .help = "the CPUs of a container that asks for none: 1, 2, 4, 6 or 8"},
    {.env = "SOCKERLESS_CALLBACK_URL",
     ROW(callback_url),
     .help = "the URL of this daemon's agent listener as functions reach it; without it there is "
             "no agent"},
    {.env = "SOCKERLESS_ENDPOINT_URL",
     ROW(endpoint_url),
     .help = "the URL of the simulator, in the place of Google's"},
    {.env = "SOCKERLESS_GCF_MODE",
     ROW(mode),
     .type = SKL_OPTION_ENUM,
     .dflt = "function",
     .choices = "function|run|docker-runtime",
     .help = "what a container is made of: a stub function whose service gets the image, a Cloud "
             "Run service alone, or a function of the runtime docker, which Google does not have"},
    {.env = "SOCKERLESS_GCF_AGENT",
     ROW(agent),
     .help = "where a container has the agent from: bucket:NAME, image or none; without it image "
             "in the simulator, and none without a callback URL"},
    {.env = "SOCKERLESS_GCF_AGENT_PATH",
     ROW(agent_path),
     .dflt = "/sockerless/bin/sockerless-agent",
     .help = "the agent's path in the container"},
    {.env = "SOCKERLESS_GCF_AGENT_TOKEN",
     ROW(agent_token),
     .type = SKL_OPTION_SECRET,
     .help = "one agent token for all containers; without it each container has its own"},
    {.env = "SOCKERLESS_GCF_BUCKET",
     ROW(bucket),
     .help = "the bucket for the stub's source; needed for the mode function, but in the simulator"},
    {.env = "SOCKERLESS_GCF_RUNTIME",
     ROW(runtime),
     .help = "the stub's runtime, one of Go; without it the newest that the region has"},
    {.env = "SOCKERLESS_GCF_BUILD_SERVICE_ACCOUNT",
     ROW(build_service_account),
     .help = "the email of the service account that stubs are built as; without it the project's "
             "default one"},
    {.env = "SOCKERLESS_GCF_INVOKER_SERVICE_ACCOUNT",
     ROW(auth.invoker_account),
     .help = "the email of the service account that invokes, where the credentials are no service "
             "account's; without it SOCKERLESS_GCF_SERVICE_ACCOUNT"},
    {.env = "SOCKERLESS_GCF_DOCKER_HUB_REPO",
     ROW(docker_hub_repo),
     .help = "the Artifact Registry remote repository in the region that images of Docker Hub come "
             "through"},
    {.env = "SOCKERLESS_GCF_REMOTE_REPOS",
     ROW(remote_repos),
     .type = SKL_OPTION_LIST,
     .help = "the remote repositories of other registries, HOST=REPOSITORY"},
    {.env = "SOCKERLESS_GCF_VPC_NETWORK",
     ROW(vpc_network),
     .help = "the VPC network that containers reach private addresses through"},
    {.env = "SOCKERLESS_GCF_VPC_SUBNET",
     ROW(vpc_subnet),
     .help = "the subnet in it"},
    {.env = "SOCKERLESS_GCF_START_TIMEOUT",
     ROW(start_timeout_s),
     .type = SKL_OPTION_INT,
     .dflt = "240",
     .min = 1,
     .max = 3600,
     .help = "seconds that an invoked agent has to come"},
    {.env = "SOCKERLESS_GCF_CREATE_TIMEOUT",
     ROW(create_timeout_s),
     .type = SKL_OPTION_INT,
     .dflt = "1820",
     .min = 1,
     .max = 7200,
     .help = "seconds for a function to be built and to answer"},
    {.env = "SOCKERLESS_GCF_AGENT_LOST",
     ROW(agent_lost_s),
     .type = SKL_OPTION_INT,
     .dflt = "1800",
     .min = 1,
     .max = 86400,
     .help = "seconds that an agent which vanished is waited for"},
    {.env = "SOCKERLESS_GCF_POLL_INTERVAL_MS",
     ROW(poll_interval_ms),
     .type = SKL_OPTION_INT,
     .dflt = "0",
     .min = 0,
     .max = 60000,
     .help = "milliseconds between two looks at a function in the making; 0: 1000, or 100 in the "
             "simulator"},
    SKL_GCP_AUTH_OPTIONS(struct skl_gcf_config, auth),
};
/* clang-format on */
const size_t skl_gcf_options_count = SKL_ARRAY_LEN(skl_gcf_options);

static bool is_name(const char *text, size_t max)
{
    size_t n = strlen(text);

    return n > 0 && n <= max &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && text[n - 1] != '-';
}

static int check_agent(const struct skl_gcf_config *c, struct skl_error *err)
{
    bool bucket = skl_str_starts(skl_str(c->agent), "bucket:") && c->agent[7];

    if (!skl_str_empty(c->agent) && !bucket && !skl_streq(c->agent, "image") &&
        !skl_streq(c->agent, "none"))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_AGENT: '%s' is not bucket:NAME (the bucket that has the "
                        "agent at bin/sockerless-agent), image (images have it) or none",
                        c->agent);
    if ((bucket || skl_streq(c->agent, "image")) && skl_str_empty(c->callback_url))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_CALLBACK_URL is required with SOCKERLESS_GCF_AGENT=%s: the URL "
                        "of the agent listener as functions reach it",
                        c->agent);
    if (bucket && skl_streq(c->mode, "docker-runtime"))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_AGENT=%s: the runtime docker has no volumes; use image",
                        c->agent);
    if (skl_str_empty(c->agent) && !skl_str_empty(c->callback_url) &&
        skl_str_empty(c->endpoint_url))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_AGENT is required with SOCKERLESS_CALLBACK_URL: bucket:NAME "
                        "(the bucket that has the agent at bin/sockerless-agent), image (images "
                        "have it) or none");
    if (c->agent_path[0] != '/')
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_AGENT_PATH: '%s' is not an absolute path", c->agent_path);
    return 0;
}

int skl_gcf_config_check(const void *config, struct skl_error *err)
{
    const struct skl_gcf_config *c = config;
    struct skl_gcf_size size;
    int rc;

    if (skl_url_check_setting("SOCKERLESS_CALLBACK_URL", c->callback_url, err) < 0 ||
        skl_url_check_setting("SOCKERLESS_ENDPOINT_URL", c->endpoint_url, err) < 0)
        return -SKL_E_INVALID;
    if (!is_name(c->project, 63))
        return skl_fail(err, SKL_E_INVALID, "SOCKERLESS_GCF_PROJECT: '%s' is not a project ID",
                        c->project);
    if (!is_name(c->region, 40))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_REGION: '%s' is not a region like us-central1", c->region);
    rc = skl_gcf_size(c, 0, 0, &size, err);
    if (rc < 0)
        return rc;
    if (skl_str_empty(c->endpoint_url) && skl_streq(c->mode, "docker-runtime"))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_MODE=docker-runtime: Google has no such runtime; use "
                        "function or run, or set SOCKERLESS_ENDPOINT_URL to an endpoint that takes "
                        "it");
    if (skl_str_empty(c->endpoint_url) && skl_streq(c->mode, "function") &&
        skl_str_empty(c->bucket))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_BUCKET is required with SOCKERLESS_GCF_MODE=function: a "
                        "Cloud Storage bucket for the stub's source");
    for (char **r = c->remote_repos; r && *r; r++)
        if (!strchr(*r, '=') || (*r)[0] == '=' || !strchr(*r, '=')[1])
            return skl_fail(err, SKL_E_INVALID,
                            "SOCKERLESS_GCF_REMOTE_REPOS: '%s' is not HOST=REPOSITORY", *r);
    if (!skl_str_empty(c->vpc_subnet) && skl_str_empty(c->vpc_network))
        return skl_fail(err, SKL_E_INVALID,
                        "SOCKERLESS_GCF_VPC_NETWORK is required with SOCKERLESS_GCF_VPC_SUBNET");
    return check_agent(c, err);
}
