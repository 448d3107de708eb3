/* Which images Cloud Run pulls: Google's registries and Docker Hub by themselves, all others through a remote repository of
 * Artifact Registry. */
#include "base/alloc.h"
#include "base/limits.h"
#include "docker/images/reference.h"
#include "gcf.h"

static bool is_googles(const char *host)
{
    return skl_streq(host, "gcr.io") || skl_str_ends(skl_str(host), ".gcr.io") ||
           skl_streq(host, "docker.pkg.dev") || skl_str_ends(skl_str(host), "-docker.pkg.dev");
}

/* The repository that stands for that registry; NULL: none. */
static const char *repository_of(const struct skl_gcf_config *c, const char *host)
{
    if (skl_streq(host, "docker.io"))
        return skl_str_empty(c->docker_hub_repo) ? NULL : c->docker_hub_repo;
    for (char **r = c->remote_repos; r && *r; r++) {
        struct skl_str repository, name = skl_str_cut(skl_str(*r), '=', &repository);

        if (skl_str_ieqz(name, host))
            return repository.p;
    }
    return NULL;
}

int skl_gcf_image(const struct skl_gcf_config *c, const char *image_ref, char **ret,
                  struct skl_error *err)
{
    SKL_AUTO_REFERENCE struct skl_reference r = {0};
    const char *repository;
    struct skl_buf path;
    int rc = skl_reference_parse(image_ref, &r, err);

    if (rc < 0)
        return rc;
    skl_reference_default_tag(&r);
    repository = repository_of(c, r.domain);
    if (repository) {
        skl_buf_init(&path, 4 * SKL_KIB);
        skl_buf_addf(&path, "%s/%s/%s", c->project, repository, r.path);
        free(r.path);
        r.path = skl_buf_detach(&path);
        skl_buf_addf(&path, "%s-docker.pkg.dev", c->region);
        free(r.domain);
        r.domain = skl_buf_detach(&path);
    } else if (!is_googles(r.domain) && !skl_streq(r.domain, "docker.io") &&
               skl_str_empty(c->endpoint_url)) {
        return skl_fail(
            err, SKL_E_UNSUPPORTED,
            "Google Cloud Run does not pull images of %s: make a remote repository for "
            "it in Artifact Registry, and set SOCKERLESS_GCF_REMOTE_REPOS=%s=REPOSITORY",
            r.domain, r.domain);
    }
    *ret = skl_reference_full(&r);
    return 0;
}
