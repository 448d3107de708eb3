#include "cloud/reach.h"

#include <stdlib.h>

#include "base/clock.h"

#define SLOW_MS 1500
/* Microsoft Entra and Google refuse assertions and tokens that are more than five minutes off. */
#define SKEW_WARN_S 60
#define SKEW_FAIL_S 300
#define CLOCK_FIX   "let NTP set this machine's clock (timedatectl set-ntp true)"

static void judge_clock(const char *date, const struct skl_findings *to)
{
    int64_t theirs_ns, off_s;

    if (!skl_http_date_parse(date, &theirs_ns))
        return;
    off_s = (skl_wall_ns() - theirs_ns) / SKL_NS_PER_S;
    if (llabs(off_s) >= SKEW_WARN_S)
        skl_find(to, llabs(off_s) >= SKEW_FAIL_S ? SKL_GRADE_FAIL : SKL_GRADE_WARN, "clock",
                 CLOCK_FIX, "this machine is %lld s %s of the cloud", llabs(off_s),
                 off_s > 0 ? "ahead" : "behind");
    else
        skl_find_ok(to, "clock", "within %d s of the cloud's", SKEW_WARN_S);
}

static bool reach(struct skl_rest *r, const struct skl_reach_target *t, bool *timed,
                  const struct skl_findings *to)
{
    const struct skl_rest_request req = {
        .operation = "doctor.reach",
        .method = "GET",
        .url = t->url,
        .deadline_ms = skl_mono_ms() + SKL_DOCTOR_CALL_MS,
        .no_retry = true,
    };
    SKL_AUTO_RESPONSE struct skl_rest_response answer = {0};
    struct skl_error err;
    const char *date;

    if (skl_rest_call(r, &req, &answer, &err) < 0) {
        skl_find(to, SKL_GRADE_FAIL, t->check,
                 "look at name resolution, the firewall, a proxy (https_proxy) and the URL",
                 "%s: %s", t->url, err.msg);
        return false;
    }
    if (answer.first_byte_ms > SLOW_MS)
        skl_find(
            to, SKL_GRADE_WARN, t->check,
            "use a region that is nearer to this machine, or move it: each run makes a dozen calls",
            "first byte of %s after %lld ms", t->url, (long long)answer.first_byte_ms);
    else
        skl_find_ok(to, t->check, "first byte of %s after %lld ms", t->url,
                    (long long)answer.first_byte_ms);
    date = skl_rest_response_header(&answer, "Date");
    if (date && !*timed) {
        judge_clock(date, to);
        *timed = true;
    }
    return true;
}

bool skl_cloud_reach(struct skl_rest *r, const struct skl_reach_target *targets, size_t n,
                     const struct skl_findings *to)
{
    bool all = true, timed = false;

    for (size_t i = 0; i < n; i++)
        all &= reach(r, &targets[i], &timed, to);
    if (all && !timed)
        skl_find(to, SKL_GRADE_WARN, "clock", CLOCK_FIX, "no answer of the cloud has a date");
    return all;
}

void skl_cloud_judge_callback(const char *url, const struct skl_findings *to)
{
    static const char *const here[] = {"localhost", "127.", "[::1]", "0.0.0.0"};
    const char *host = skl_str_empty(url) ? NULL : strstr(url, "://");

    if (!host)
        return;
    for (size_t i = 0; i < SKL_ARRAY_LEN(here); i++)
        if (skl_str_istarts(skl_str(host + 3), here[i])) {
            skl_find(to, SKL_GRADE_FAIL, "callback url",
                     "set SOCKERLESS_CALLBACK_URL to a name or address that workloads in the cloud "
                     "reach",
                     "'%s' is this machine for everybody who reads it", url);
            return;
        }
    if (!skl_str_istarts(skl_str(url), "https://") && !skl_str_istarts(skl_str(url), "wss://"))
        skl_find(to, SKL_GRADE_WARN, "callback url",
                 "use https with --agent-tls-cert, --agent-tls-key and --agent-tls-ca, unless the "
                 "network is private",
                 "'%s' is not encrypted: agents send their tokens and all input and output", url);
}
