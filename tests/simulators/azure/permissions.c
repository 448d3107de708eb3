/* What the caller is permitted: --action names it, as a role does, and Resource Manager's own rule says which action a
 * request is: the types of its path, and read, write, delete or the name of what is posted. */
#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "web.h"

static bool matches(const char *pattern, const char *action)
{
    if (*pattern == '*') {
        while (pattern[1] == '*')
            pattern++;
        for (; *action; action++)
            if (matches(pattern + 1, action))
                return true;
        return matches(pattern + 1, action);
    }
    if (!*pattern || !*action)
        return *pattern == *action;
    return tolower((unsigned char)*pattern) == tolower((unsigned char)*action) &&
           matches(pattern + 1, action + 1);
}

static bool is_permitted(const struct sim *s, const char *action)
{
    char **p = s->options->actions;

    for (; p && *p; p++)
        if (matches(*p, action))
            return true;
    return !s->options->actions; /* owner */
}

/* p: provider, type, name, type, name... */
static void add_types(struct skl_buf *b, char *const *p)
{
    skl_buf_adds(b, p[0]);
    for (size_t i = 1; p[i]; i += 2) {
        skl_buf_addf(b, "/%s", p[i]);
        if (!p[i + 1])
            break;
    }
}

bool sim_permitted(struct sim *s, const struct sim_request *r, char *const *p, size_t n,
                   struct sim_answer *a)
{
    size_t provider = n > 4 && strcasecmp(p[2], "resourceGroups") == 0 ? 5 : 3;
    SKL_AUTO_BUF struct skl_buf action = {0};

    skl_buf_init(&action, 4 * SKL_KIB);
    if (n <= provider)
        skl_buf_adds(&action, "Microsoft.Resources/subscriptions/resourceGroups");
    else
        add_types(&action, p + provider);
    skl_buf_adds(&action, skl_streq(r->method, "GET") || skl_streq(r->method, "HEAD") ? "/read"
                          : skl_streq(r->method, "POST")                              ? "/action"
                          : skl_streq(r->method, "DELETE")                            ? "/delete"
                                                                                      : "/write");
    if (is_permitted(s, action.p))
        return true;
    sim_arm_error(a, 403, "AuthorizationFailed",
                  "The client 'c' with object id 'o' does not have authorization to perform action "
                  "'%s' over scope "
                  "'%s' or the scope is invalid. If access was recently granted, please refresh "
                  "your credentials.",
                  action.p, r->path);
    return false;
}

void sim_permissions(struct sim *s, const struct sim_request *r, struct sim_answer *a)
{
    char *owner[] = {(char[]){"*"}, NULL};
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_json j;

    if (!skl_streq(r->method, "GET")) {
        sim_arm_error(a, 405, "MethodNotAllowed", "%s is not allowed here.", r->method);
        return;
    }
    skl_buf_init(&b, 64 * SKL_KIB);
    skl_json_init(&j, &b);
    skl_json_object(&j, NULL);
    skl_json_array(&j, "value");
    skl_json_object(&j, NULL);
    skl_json_strv(&j, "actions", s->options->actions ? s->options->actions : owner);
    for (size_t i = 0; i < 3; i++) {
        static const char *const none[] = {"notActions", "dataActions", "notDataActions"};

        skl_json_array(&j, none[i]);
        skl_json_end_array(&j);
    }
    skl_json_end_object(&j);
    skl_json_end_array(&j);
    skl_json_end_object(&j);
    sim_text(a, 200, b.p);
}
