/* The front end of App Service: requests by host name, passed on to the site's container; cut after a while, whatever
 * the container does. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "proxy.h"
#include "web.h"

#define SUFFIX ".azurewebsites.net"

static void page(struct sim_answer *a, int status, const char *text)
{
    a->type = "text/html";
    sim_text(a, status, text);
}

static struct site *find(struct sim *s, struct skl_str host)
{
    struct site *x;
    size_t i = 0;

    while ((x = skl_map_next(&s->sites, &i, NULL)))
        if (skl_str_eqz(host, x->host) && sim_now_ms() >= x->ready_ms)
            return x;
    return NULL;
}

/* The request is answered: with an own page, or because a fault took it. */
static bool refuse(struct sim *s, struct skl_str host, struct sim_answer *a, char address[24],
                   int *port)
{
    struct site *x;

    if (sim_planned(s, "any", a) || sim_planned(s, "invoke", a))
        return true;
    x = find(s, host);
    if (!x)
        page(a, 404, "<h1>404 Web Site not found.</h1>");
    else if (!x->wanted)
        page(a, 403, "<h1>Error 403 - This web app is stopped.</h1>");
    else if (!x->answers_pings)
        page(a, 503, "<h1>Service Unavailable</h1>");
    else {
        snprintf(address, 24, "%s", x->address);
        *port = sim_site_port(x);
        return false;
    }
    return true;
}

static bool is_replaced(const char *name)
{
    return strcasecmp(name, "X-Forwarded-For") == 0 || strcasecmp(name, "X-Forwarded-Proto") == 0;
}

static void forget(void *arg SKL_UNUSED)
{
}

static void hold(void *arg)
{
    sim_hold(arg);
}

static void pass(struct sim *s, const struct sim_request *r, const char *address, int port,
                 struct sim_answer_fault f, struct sim_answer *a)
{
    SKL_AUTO_BUF struct skl_buf target = {0};
    struct sim_proxy p = {
        .request = r,
        .address = address,
        .port = port,
        .headers = "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\n",
        .is_replaced = is_replaced,
        .deadline_ms = skl_mono_ms() + s->options->front_end_limit_ms,
        .lose_answer = f.hold   ? hold
                       : f.lost ? forget
                                : NULL,
        .arg = s,
    };

    skl_buf_init(&target, 64 * SKL_KIB);
    skl_buf_addf(&target, "%s%s%s", r->raw_path, *r->query ? "?" : "", r->query);
    p.target = target.p;
    switch (sim_proxy_run(&p)) {
    case SIM_PROXY_NO_CONNECTION:
        page(a, 503, "<h1>Service Unavailable</h1>");
        break;
    case SIM_PROXY_BROKEN:
        page(a, 502, "<h1>502 - Web server received an invalid response.</h1>");
        break;
    case SIM_PROXY_LATE: /* the container's request goes on */
        page(a, 504, "<h1>504 Gateway Timeout</h1>");
        break;
    case SIM_PROXY_DONE:
    case SIM_PROXY_CLIENT_GONE:
        break;
    }
    a->sent = p.head_sent;
}

bool sim_front_end(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    struct skl_str port_text, host = skl_str_cut(skl_str(sim_header(r, "Host")), ':', &port_text);
    char address[24];
    struct sim_answer_fault f;
    bool answered;
    int port = 0;

    if (!skl_str_ends(host, SUFFIX))
        return false;
    pthread_mutex_lock(&s->lock);
    answered = refuse(s, host, a, address, &port);
    f = sim_take_answer_fault(s);
    pthread_mutex_unlock(&s->lock);
    if (!answered)
        pass(s, r, address, port, f, a);
    else if (f.hold)
        sim_hold(s);
    a->drop |= (f.lost || f.hold) && !a->sent;
    return true;
}
