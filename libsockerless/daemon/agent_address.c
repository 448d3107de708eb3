#include "daemon/agent_address.h"

#include <stdio.h>

#define AGENT_PORT 9110

/* Without --agent-listen: the port of the callback URL, on all addresses. */
static int of_callback(const char *url, struct skl_address *ret, struct skl_error *err)
{
    struct skl_str rest = skl_str(strstr(url, "://") ? strstr(url, "://") + 3 : url);
    struct skl_str host = skl_str_cut(rest, '/', &rest);
    struct skl_address a;
    char text[300];
    int rc;

    snprintf(text, sizeof(text), "tcp://" SKL_STR_FMT, SKL_STR_ARG(host));
    rc = skl_address_parse(text, skl_str_istarts(skl_str(url), "https") ? 443 : 80, &a, err);
    if (rc < 0)
        return skl_wrap(err, rc, "SOCKERLESS_CALLBACK_URL");
    *ret = (struct skl_address){.kind = SKL_ADDRESS_TCP, .port = a.port};
    if (skl_address_is_loopback(&a))
        snprintf(ret->host, sizeof(ret->host), "%s", a.host);
    return 0;
}

int skl_agent_address(const struct skl_daemon_settings *s, const char *callback_url,
                      struct skl_address *ret, bool *wanted, struct skl_error *err)
{
    int rc;

    *wanted = !skl_str_empty(callback_url) || !skl_str_empty(s->agent_listen);
    if (!*wanted)
        return 0;
    if (skl_str_empty(s->agent_listen))
        return of_callback(callback_url, ret, err);
    rc = skl_address_parse(s->agent_listen, AGENT_PORT, ret, err);
    return rc < 0 ? skl_wrap(err, rc, "--agent-listen") : 0;
}
