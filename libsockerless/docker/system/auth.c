/* POST /auth: the registry itself decides about a login. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "docker/api/routes.h"
#include "docker/images/image_resolve.h"
#include "registry/registry.h"

#define DEADLINE_MS 60000

struct login {
    struct skl_request *r; /* its body holds the credentials */
    int rc;
    struct skl_error err;
};

static void work(void *arg)
{
    struct login *x = arg;
    const cJSON *body = x->r->body;
    const struct skl_registry_auth auth = {
        .username = skl_json_get_str(body, "username"),
        .password = skl_json_get_str(body, "password"),
        .identity_token = skl_json_get_str(body, "identitytoken"),
        .registry_token = skl_json_get_str(body, "registrytoken"),
    };
    const char *server = skl_json_get_str(body, "serveraddress");

    x->rc = skl_registry_check_login(x->r->engine->registry, server ? server : "", &auth,
                                     skl_mono_ms() + DEADLINE_MS, NULL, &x->err);
}

static void done(void *arg, bool canceled)
{
    struct login *x = arg;
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, SKL_KIB);
    if (canceled)
        x->rc = skl_fail(&x->err, SKL_E_CANCELED, "the daemon is shutting down");
    if (x->rc < 0) {
        skl_request_error(x->r, &x->err);
    } else {
        skl_buf_adds(&b, "{\"IdentityToken\":\"\",\"Status\":\"Login Succeeded\"}");
        skl_request_json(x->r, 200, &b);
    }
    skl_request_unref(x->r);
    free(x);
}

/* The worker only reads the body, and the loop does not touch it meanwhile. */
void skl_route_auth(struct skl_request *r)
{
    struct login *x = skl_new0(struct login);

    skl_auth_seen(r->body);
    x->r = skl_request_ref(r);
    skl_work_submit(r->engine->workers, work, done, x);
}
