/* The backend's end of an agent: greetings, output, exits, and the answers to every kind of request. Whatever the agent
 * says, each request ends once, a run ends once, output is in order, and nothing is left in the loop. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/registry.h"
#include "base/alloc.h"
#include "base/log.h"
#include "frame_peer.h"
#include "net/http_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct skl_agents *agents;
static unsigned asked, answered, ended_run;
static uint64_t output_at;
static bool was_asked;

/* -- one request of each kind */

static void exec_started(void *arg, int pid)
{
}

static void exec_output(void *arg, bool is_stderr, struct skl_str data)
{
}

static void nothing(void *arg)
{
}

static void exec_end(void *arg, int code, const struct skl_error *err)
{
    SKL_ASSERT(code >= 0 ? code <= 255 : err != NULL);
    answered++;
}

static void ended(void *arg, const struct skl_error *err)
{
    answered++;
}

static void on_stat(void *arg, const struct skl_path_stat *st)
{
    SKL_ASSERT(st->name);
}

static void stat_answer(void *arg, const struct skl_path_stat *st, const struct skl_error *err)
{
    SKL_ASSERT(err || st->name);
    answered++;
}

static void on_data(void *arg, struct skl_str data)
{
}

static void top_answer(void *arg, char *const *titles, char *const *cells,
                       const struct skl_error *err)
{
    size_t n = err ? 1 : skl_strv_len(titles);

    SKL_ASSERT(err || skl_strv_len(cells) == 0 || (n > 0 && skl_strv_len(cells) % n == 0));
    answered++;
}

static void stats_answer(void *arg, char *const *stats, const struct skl_error *err)
{
    answered++;
}

/* In the order of streams: 2 exec, 3 get, 4 put, 5 stat, 6 top, 7 stats, 8 tunnel, 9 view. */
static void ask_everything(struct skl_session *s)
{
    static const struct skl_agent_exec_events exec = {exec_started, exec_output, nothing, exec_end};
    static const struct skl_get_events get = {on_stat, on_data, ended};
    static const struct skl_put_events put = {nothing, ended};
    static const struct skl_tunnel_events tunnel = {nothing, on_data, nothing, nothing, ended};
    static char sh[] = "sh", *argv[] = {sh, NULL};
    const struct skl_process_spec spec = {.argv = argv};
    const struct skl_put_options to = {.path = "/"};

    (void)skl_session_exec(s, &spec, &exec, NULL);
    (void)skl_session_get(s, "/a", &get, NULL);
    (void)skl_session_put(s, &to, &put, NULL);
    skl_session_stat(s, "/a", stat_answer, NULL);
    skl_session_top(s, "-ef", top_answer, NULL);
    skl_session_stats(s, stats_answer, NULL);
    (void)skl_session_tunnel(s, 80, &tunnel, NULL);
    (void)skl_session_view(s, SKL_VIEW_CHANGES, &get, NULL);
    asked += 8;
}

/* -- the owner */

static bool on_hello(void *owner, struct skl_session *s, const struct skl_session_hello *hello,
                     uint64_t *resume, bool *exit_known)
{
    *resume = output_at;
    *exit_known = ended_run != 0 && ended_run == hello->run;
    return true;
}

static void on_up(void *owner, struct skl_session *s)
{
    static char sh[] = "sh", *argv[] = {sh, NULL};
    const struct skl_process_spec spec = {.argv = argv};

    if (was_asked)
        return;
    was_asked = true;
    if (skl_session_main_state(s) == SKL_MAIN_WAITING)
        skl_session_start(s, 1, &spec);
    ask_everything(s);
}

static void on_change(void *owner, struct skl_session *s)
{
}

static void on_started(void *owner, struct skl_session *s, unsigned run, int pid, int64_t ns)
{
    SKL_ASSERT(pid >= 0);
}

static void on_start_failed(void *owner, struct skl_session *s, int code, const char *message)
{
    SKL_ASSERT(message);
}

static void on_output(void *owner, struct skl_session *s, bool is_stderr, uint64_t offset,
                      struct skl_str data)
{
    SKL_ASSERT(offset + data.n >= offset);
    output_at = offset + data.n;
    skl_session_ack(s, output_at);
}

static void on_exit_told(void *owner, struct skl_session *s, const struct skl_exit *exit)
{
    SKL_ASSERT(exit->code >= 0 && exit->code <= 255 && exit->signal >= 0 && exit->run != ended_run);
    ended_run = exit->run;
}

static void accept_agent(void *arg, struct skl_http *x)
{
    skl_agents_accept(agents, x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct skl_session_events events = {
        on_hello,        on_up,     on_change,    on_change, on_started,
        on_start_failed, on_output, on_exit_told, on_change};
    struct skl_http_server *server;
    uv_loop_t loop;

    asked = answered = ended_run = 0;
    output_at = 0;
    was_asked = false;
    skl_log_setup(SKL_LOG_ERROR, false, STDERR_FILENO);
    SKL_ASSERT(uv_loop_init(&loop) == 0);
    agents = skl_agents_new(&loop, &events, NULL);
    skl_agents_prepare(agents, PEER_ID, PEER_TOKEN, &loop);
    server =
        skl_http_server_new(&loop, &(struct skl_http_server_config){.handler = accept_agent});
    skl_http_server_add(server, peer_open(&loop));
    if (peer_upgrade(&loop))
        peer_say(&loop, data, n);
    close(peer_fd);
    peer_turn(&loop);
    skl_agents_close(agents);
    skl_http_server_close(server, 0, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    SKL_ASSERT(asked == answered);
    SKL_ASSERT(uv_loop_close(&loop) == 0);
    return 0;
}
