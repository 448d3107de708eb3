/* cloud_answers - a hostile cloud: what it answers is the fuzzer's input.
 *
 * Shape   the linker puts these in the place of skl_rest_call(), of all waiting, and of the clock, which goes on by
 *         waiting alone. Answers stand in the input one
 *         after the other, with RECORD between them: "STATUS\nName: value\n\nbody". When there are no more, the
 *         cloud is away. Tokens are always given: their answers are fuzzed by themselves.
 * Rule    a token goes to CLOUD only, whatever URLs an answer holds; a registry alone names who makes its tokens
 * Limits  MAX_CALLS, and as many sleeps: an answer that says "come back" does not hold a run
 */
#ifndef SKL_FUZZ_CLOUD_ANSWERS_H
#define SKL_FUZZ_CLOUD_ANSWERS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cloud/rest.h"
#include "cloud/wait.h"

#define CLOUD     "http://127.0.0.1:4567"
#define CLOUD_TLS "https://127.0.0.1:4567" /* what a registry is tried by first */
#define RECORD    '\x1e'
#define MAX_CALLS 40

int __wrap_skl_rest_call(struct skl_rest *r, const struct skl_rest_request *req,
                         struct skl_rest_response *ret, struct skl_error *err);
int __wrap_skl_cloud_sleep(int64_t ms, int64_t deadline_ms, const atomic_bool *cancel,
                           struct skl_error *err);
void __wrap_skl_cond_wait_slice(pthread_cond_t *c, pthread_mutex_t *lock);
int64_t __wrap_skl_mono_ms(void);

static struct skl_str cloud_answers;
static unsigned cloud_calls, cloud_sleeps;
static int64_t cloud_now_ms = 1000;

static void cloud_begin(struct skl_str answers)
{
    cloud_answers = answers;
    cloud_calls = cloud_sleeps = 0;
}

static void add_header(struct skl_buf *headers, struct skl_str line)
{
    struct skl_str value, name = skl_str_cut(line, ':', &value);

    value = skl_str_trim(value);
    if (memchr(line.p, '\0', line.n) || headers->n + line.n > 60000)
        return; /* libcurl gives no such lines */
    skl_buf_addstr(headers, name);
    skl_buf_addc(headers, '\0');
    skl_buf_addstr(headers, value);
    skl_buf_addc(headers, '\0');
}

static void read_answer(struct skl_str text, struct skl_rest_response *ret)
{
    struct skl_str line = skl_str_cut(text, '\n', &text);
    uint64_t status;

    ret->status = skl_str_u64(line, &status) && status >= 200 && status <= 599 ? (int)status : 200;
    while ((line = skl_str_cut(text, '\n', &text)).n > 0)
        add_header(&ret->headers, line);
    skl_buf_addstr(&ret->body, text);
}

int __wrap_skl_rest_call(struct skl_rest *r, const struct skl_rest_request *req,
                         struct skl_rest_response *ret, struct skl_error *err)
{
    static const char token[] = "{\"access_token\":\"t0k3n\",\"expires_in\":3600,"
                                "\"expires_on\":\"4000000000\"}";
    bool has_token = req->bearer != NULL;
    const char *later;

    *ret = (struct skl_rest_response){.retry_after_ms = -1};
    skl_buf_init(&ret->body, req->max_body ? req->max_body : SKL_MAX_CLOUD_BODY);
    skl_buf_init(&ret->headers, 64 * SKL_KIB);
    for (size_t i = 0; i < req->n_headers; i++)
        has_token |= skl_streq(req->headers[i].name, "Authorization");
    SKL_ASSERT(!has_token || skl_url_same_origin(req->url, CLOUD) ||
               skl_url_same_origin(req->url, CLOUD_TLS) ||
               skl_streq(req->operation, "registry.token"));
    if (skl_streq(req->operation, "token")) {
        ret->status = 200;
        add_header(&ret->headers, SKL_STR("Metadata-Flavor: Google"));
        skl_buf_adds(&ret->body, token);
        return 0;
    }
    if (cloud_answers.n == 0 || ++cloud_calls > MAX_CALLS)
        return skl_fail(err, SKL_E_UNAVAILABLE, "the cloud is away");
    read_answer(skl_str_cut(cloud_answers, RECORD, &cloud_answers), ret);
    later = skl_rest_response_header(ret, "Retry-After");
    if (later)
        ret->retry_after_ms = skl_retry_after_parse(skl_str(later), 0);
    if (req->said_delay)
        (void)req->said_delay(ret);
    if (ret->body.failed)
        return skl_fail(err, SKL_E_TOOBIG, "the answer is too large");
    return 0;
}

int __wrap_skl_cloud_sleep(int64_t ms, int64_t deadline_ms, const atomic_bool *cancel,
                           struct skl_error *err)
{
    cloud_now_ms += ms > 0 ? ms : 1;
    return ++cloud_sleeps > MAX_CALLS ? skl_fail(err, SKL_E_TIMEOUT, "it took too long") : 0;
}

void __wrap_skl_cond_wait_slice(pthread_cond_t *c, pthread_mutex_t *lock)
{
    cloud_now_ms += 1000;
}

int64_t __wrap_skl_mono_ms(void)
{
    return cloud_now_ms;
}

#endif
