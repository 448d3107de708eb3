/* Requests to a service's own URL: found by Host or by path, checked, given an instance, passed on under the time limit.
 * The lock is held only to find and to give back; the request itself runs without it. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "proxy.h"
#include "sim.h"

#define LOST_AFTER_MS 300

struct call {
    struct service *service;
    struct instance *instance; /* NULL: the stub answers */
    struct revision *revision;
    char *target; /* what the container sees */
    char *headers;
    bool is_own_auth; /* Authorization carried the ID token */
    bool is_lost;     /* a fault: the request arrives, its answer does not */
};

/* -- which service */

static struct service *by_path(struct sim *s, struct skl_str path, struct skl_str *rest)
{
    struct skl_str id, region = skl_str_cut(skl_str_skip(path, strlen("/run/")), '/', &id);
    char *name SKL_AUTO_STR = NULL;

    id = skl_str_cut(id, '/', rest);
    if (rest->p) { /* the slash belongs to what the container sees */
        rest->p--;
        rest->n++;
    }
    name = gcp_format("projects/%s/locations/" SKL_STR_FMT "/services/" SKL_STR_FMT,
                      s->options->project, SKL_STR_ARG(region), SKL_STR_ARG(id));
    return skl_map_getz(&s->services, name);
}

static struct service *by_host(struct sim *s, struct skl_str host, struct skl_str path,
                               struct skl_str *rest)
{
    struct service *v;
    size_t i = 0;

    *rest = path;
    while ((v = skl_map_next(&s->services, &i, NULL))) {
        char **urls = gcp_service_urls(v);
        bool found = false;

        for (char **u = urls; *u && !found; u++) {
            struct skl_str prefix, name = skl_str_cut(skl_str_skip(skl_str(*u), 8), '/', &prefix);

            if (!skl_str_starts(skl_str(*u), "https://") || !skl_str_eq(name, host))
                continue;
            if (!prefix.p) {
                found = true;
            } else if (path.n > prefix.n && strncmp(path.p + 1, prefix.p, prefix.n) == 0 &&
                       (path.n == prefix.n + 1 || path.p[prefix.n + 1] == '/')) {
                *rest = skl_str_skip(path, prefix.n + 1);
                found = true;
            }
        }
        skl_strv_free(urls);
        if (found)
            return v;
    }
    return NULL;
}

static bool is_service_host(struct skl_str host)
{
    return skl_str_ends(host, ".run.app") || skl_str_ends(host, ".cloudfunctions.net");
}

/* -- who asks */

static bool policy_allows(const struct service *v, const char *email)
{
    const cJSON *binding, *member;

    cJSON_ArrayForEach(binding, skl_json_get(v->policy, "bindings"))
    {
        const char *role = skl_json_get_str(binding, "role");

        if (!skl_streq(role, "roles/run.invoker") && !skl_streq(role, "roles/run.admin"))
            continue;
        cJSON_ArrayForEach(member, skl_json_get(binding, "members"))
        {
            const char *name = cJSON_GetStringValue(member);
            const char *colon = name ? strchr(name, ':') : NULL;

            if (skl_streq(name, "allUsers") ||
                (email && (skl_streq(name, "allAuthenticatedUsers") ||
                           (colon && skl_streq(colon + 1, email)))))
                return true;
        }
    }
    return false;
}

static bool may_invoke(const struct service *v, const char *email)
{
    char **p = v->sim->options->strangers;

    for (; p && *p; p++)
        if (skl_streq(*p, email))
            return policy_allows(v, email);
    return true; /* run.invoker on the project */
}

static char **audiences(const struct service *v)
{
    char **list = gcp_service_urls(v);
    const cJSON *item;

    cJSON_ArrayForEach(item, skl_json_get(v->json, "customAudiences"))
    {
        if (cJSON_IsString(item))
            skl_strv_push(&list, item->valuestring);
    }
    return list;
}

static bool refuse(struct sim_answer *a, int status, const char *problem)
{
    char *text SKL_AUTO_STR = gcp_format("Your client does not have permission to the requested "
                                         "URL.%s%s",
                                         problem ? " " : "", problem ? problem : "");

    if (status == 401)
        skl_buf_addf(
            &a->headers,
            "WWW-Authenticate: Bearer error=\"invalid_token\" error_description=\"%s\"\r\n",
            problem);
    gcp_html(a, status, status == 401 ? "Unauthorized" : "Forbidden", text);
    return false;
}

/* The container sees the token without its signature. */
static void hide_signature(struct call *c, const char *name, struct skl_str token)
{
    struct skl_str rest, head = skl_str_cut(token, '.', &rest);
    struct skl_str unused, claims = skl_str_cut(rest, '.', &unused);

    c->headers =
        gcp_format("%s: Bearer " SKL_STR_FMT "." SKL_STR_FMT ".SIGNATURE_REMOVED_BY_GOOGLE\r\n",
                   name, SKL_STR_ARG(head), SKL_STR_ARG(claims));
}

static bool check_caller(struct sim *s, const struct sim_request *r, struct call *c,
                         struct sim_answer *a)
{
    const char *name = "X-Serverless-Authorization";
    const char *header = sim_header(r, name);
    const char *problem;
    char *email SKL_AUTO_STR = NULL;
    char **wanted;

    if (skl_json_get_bool(c->service->json, "invokerIamDisabled", false) ||
        policy_allows(c->service, NULL))
        return true;
    if (!header)
        header = sim_header(r, name = "Authorization");
    if (!header || !skl_str_istarts(skl_str(header), "Bearer "))
        return refuse(a, 403, NULL);
    wanted = audiences(c->service);
    email = gcp_id_token_check(s, skl_str(header + 7), wanted, &problem);
    skl_strv_free(wanted);
    if (!email)
        return refuse(a, 401, problem);
    if (!may_invoke(c->service, email))
        return refuse(a, 403, NULL);
    hide_signature(c, name, skl_str(header + 7));
    c->is_own_auth = strcmp(name, "Authorization") == 0;
    return true;
}

/* -- an instance */

static struct instance *find_free(const struct revision *r, bool *starting)
{
    int64_t limit = skl_json_get_int(r->template, "maxInstanceRequestConcurrency", 80);
    struct instance *best = NULL;
    struct skl_list *it;

    *starting = false;
    skl_list_foreach (it, &r->instances) {
        struct instance *x = SKL_LIST_ENTRY(it, struct instance, in_revision);

        *starting |= x->state == INSTANCE_STARTING;
        if (x->state == INSTANCE_READY && x->in_flight < limit &&
            (!best || x->in_flight < best->in_flight))
            best = x;
    }
    return best;
}

static int refuse_busy(struct sim_answer *a, int status, const char *text)
{
    a->status = status;
    a->type = "text/html; charset=UTF-8";
    skl_buf_adds(&a->body, text);
    return -1;
}

/* 0, or -1: answered. Waits as long as an instance may still come. */
static int take_instance(struct sim *s, struct call *c, struct sim_answer *a)
{
    int64_t end = gcp_now_ms() + s->options->pending_s * 1000;
    struct service *v = c->service;
    int crashes = v->serving ? v->serving->crashes : 0;

    for (;;) {
        struct revision *r = v->serving;
        bool starting;

        if (v->deleted || s->closing)
            return refuse_busy(a, 404, "Not found.");
        if (!r || gcp_is_disabled(v))
            return refuse_busy(a, 503, "Service Unavailable");
        c->revision = r;
        if (gcp_is_stub(r))
            return 0;
        c->instance = find_free(r, &starting);
        if (c->instance) {
            c->instance->in_flight++;
            return 0;
        }
        if (r->crashes > crashes)
            return refuse_busy(a, 500,
                               "The request failed because the instance could not start "
                               "successfully.");
        if (!starting && gcp_live_instances(r) < gcp_max_instances(v))
            starting = gcp_instance_start(r, "AUTOSCALING - Instance started due to traffic.");
        if (!starting && gcp_now_ms() >= end)
            return refuse_busy(a, 429, "Rate exceeded.");
        gcp_await_change(s, 50);
    }
}

static void give_back(struct call *c)
{
    if (!c->instance)
        return;
    c->instance->in_flight--;
    c->instance->idle_since_ms = gcp_now_ms();
    pthread_cond_broadcast(&c->service->sim->changed);
}

/* -- the request */

static bool replaces_own_auth(const char *name)
{
    return strcasecmp(name, "Authorization") == 0;
}

static bool replaces_serverless(const char *name)
{
    return strcasecmp(name, "X-Serverless-Authorization") == 0;
}

static void answer_failure(enum sim_proxy_result result, struct sim_answer *a)
{
    if (result == SIM_PROXY_LATE)
        (void)refuse_busy(a, 504, "upstream request timeout");
    else
        (void)refuse_busy(a, 503,
                          "The request failed because either the HTTP response was malformed or "
                          "connection to the instance had an error.");
}

static int pass_on(const struct sim_request *r, struct call *c, struct sim_answer *a)
{
    const char *timeout = skl_json_get_str(c->revision->template, "timeout");
    int64_t limit = c->is_lost ? LOST_AFTER_MS : gcp_duration_ms(timeout, 300000);
    struct sim_proxy p = {
        .request = r,
        .address = c->instance->address,
        .port = c->instance->port,
        .target = c->target,
        .headers = c->headers,
        .is_replaced = !c->headers      ? NULL
                       : c->is_own_auth ? replaces_own_auth
                                        : replaces_serverless,
        .deadline_ms = gcp_now_ms() + limit,
    };
    enum sim_proxy_result result = sim_proxy_run(&p);

    a->sent = p.head_sent;
    a->drop = c->is_lost;
    if (!p.head_sent)
        answer_failure(result, a);
    return p.head_sent ? p.status : a->status;
}

static void run_call(struct sim *s, const struct sim_request *r, struct call *c,
                     struct sim_answer *a)
{
    int64_t begin = gcp_now_ms();
    int status;

    if (c->instance) {
        pthread_mutex_unlock(&s->lock);
        status = pass_on(r, c, a);
        pthread_mutex_lock(&s->lock);
    } else {
        refuse_busy(a, status = 200, "OK");
    }
    gcp_log_request(s, c->revision, c->instance ? c->instance->id : "", r, status,
                    gcp_now_ms() - begin);
    give_back(c);
}

static void invoke(struct sim *s, const struct sim_request *r, struct call *c, struct sim_answer *a)
{
    const char *ingress = skl_json_get_str(c->service->json, "ingress");

    gcp_count(s, "invoke");
    if (ingress && strcmp(ingress, "INGRESS_TRAFFIC_ALL") != 0)
        gcp_html(a, 404, "Page not found", "The requested URL was not found on this server.");
    else if (gcp_invoke_fault(s, a, &c->is_lost))
        ;
    else if (check_caller(s, r, c, a) && take_instance(s, c, a) == 0)
        run_call(s, r, c, a);
}

bool gcp_invoke(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    const char *header = sim_header(r, "Host");
    struct skl_str rest, host = skl_str_cut(skl_str(header), ':', &rest);
    struct skl_str path = skl_str(r->raw_path);
    bool is_path = skl_str_starts(path, "/run/");
    struct call c = {0};

    if (!is_path && !is_service_host(host))
        return false;
    pthread_mutex_lock(&s->lock);
    c.service = is_path ? by_path(s, path, &rest) : by_host(s, host, path, &rest);
    c.target = gcp_format("%s" SKL_STR_FMT "%s%s", rest.n > 0 && *rest.p == '/' ? "" : "/",
                          SKL_STR_ARG(rest), *r->query ? "?" : "", r->query);
    if (c.service)
        invoke(s, r, &c, a);
    else
        gcp_html(a, 404, "Page not found", "The requested URL was not found on this server.");
    pthread_mutex_unlock(&s->lock);
    free(c.target);
    free(c.headers);
    return true;
}
