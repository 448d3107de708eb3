/* The main process: START, its output and end, the warm time after it, and when the agent itself ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "control_group.h"

#define KEEP_RESULT_MS                                                                             \
    (10 * 60 * 1000)          /* without a connection, for output and code to be fetched */
#define STOPPED_KEEP_MS 20000 /* the same when the platform ends the workload */
#define LOOK_MS         1000

/* -- the specification of a process */

void agent_read_process_spec(const struct agent *a, struct skl_str payload,
                             struct agent_process_spec *ret)
{
    *ret = (struct agent_process_spec){
        .argv = skl_tlv_find_strv(payload, SKL_TAG_ARG),
        .env = skl_tlv_find_strv(payload, SKL_TAG_ENV),
        .cwd = skl_tlv_find_dup(payload, SKL_TAG_CWD),
        .user = skl_tlv_find_dup(payload, SKL_TAG_USER),
        .group_add = skl_tlv_find_strv(payload, SKL_TAG_GROUP_ADD),
        .ulimits = skl_tlv_find_strv(payload, SKL_TAG_ULIMIT),
        .tty = skl_tlv_find_num(payload, SKL_TAG_TTY, 0) != 0,
        .stdin_open = skl_tlv_find_num(payload, SKL_TAG_STDIN_OPEN, 0) != 0,
        .rows = (unsigned)skl_tlv_find_num(payload, SKL_TAG_ROWS, 0),
        .cols = (unsigned)skl_tlv_find_num(payload, SKL_TAG_COLS, 0),
    };
    /* What START leaves out, the command line and the platform's environment say. */
    if (!ret->argv)
        ret->argv = skl_strv_dup(a->options->argv);
    if (!ret->env)
        ret->env = skl_strv_dup(a->options->environ);
}

void agent_process_spec_fini(struct agent_process_spec *spec)
{
    skl_strv_free(spec->argv);
    skl_strv_free(spec->env);
    skl_strv_free(spec->group_add);
    skl_strv_free(spec->ulimits);
    free((char *)(uintptr_t)spec->cwd);
    free((char *)(uintptr_t)spec->user);
}

/* "ip name", or Docker's "name:ip" */
static void add_hosts(char *const *hosts)
{
    int fd = hosts ? open("/etc/hosts", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;

    for (; fd >= 0 && *hosts; hosts++) {
        struct skl_str second, first = skl_str_cut(skl_str(*hosts), ' ', &second);
        char line[1024];
        int n;

        if (!second.p) {
            struct skl_str name = skl_str_cut(skl_str(*hosts), ':', &first);

            second = name;
        }
        n = snprintf(line, sizeof(line), SKL_STR_FMT "\t" SKL_STR_FMT "\n", SKL_STR_ARG(first),
                     SKL_STR_ARG(second));
        if (first.p && n > 0 && (size_t)n < sizeof(line))
            (void)!write(fd, line, (size_t)n); /* a read-only /etc keeps its own names */
    }
    if (fd >= 0)
        close(fd);
}

/* -- output */

static bool on_output(void *arg, bool is_stderr, struct skl_str data)
{
    struct agent *a = arg;

    agent_output_add(a->output, is_stderr, data);
    agent_send_output(a);
    return !agent_output_is_full(a->output);
}

static void on_drained(void *arg, size_t n)
{
    struct agent *a = arg;

    skl_link_consumed(a->link, SKL_STREAM_MAIN, n);
}

/* -- the end */

static bool read_oom_count(uint64_t *ret)
{
    return agent_group_number("memory.events", "oom_kill", ret) ||
           agent_group_number("memory/memory.oom_control", "oom_kill", ret);
}

static uint64_t oom_before;

void agent_send_exit(struct agent *a)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 256);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    skl_tlv_u64(&b, SKL_TAG_CODE, (uint64_t)a->exit_code);
    skl_tlv_u64(&b, SKL_TAG_SIGNAL_NO, (uint64_t)a->exit_signal);
    skl_tlv_u64(&b, SKL_TAG_OOM, a->oom);
    skl_tlv_u64(&b, SKL_TAG_OFFSET, agent_output_end(a->output));
    skl_tlv_u64(&b, SKL_TAG_FINISHED_NS, (uint64_t)a->finished_ns);
    skl_link_send(a->link, SKL_FRAME_EXIT, SKL_STREAM_MAIN, skl_buf_str(&b));
}

static void on_end(void *arg, int code, int signo)
{
    struct agent *a = arg;
    uint64_t oom = 0;

    a->process = NULL;
    a->state = AGENT_ENDED;
    a->exit_code = code;
    a->exit_signal = signo;
    a->oom = signo == SIGKILL && read_oom_count(&oom) && oom > oom_before;
    a->finished_ns = skl_wall_ns();
    a->ended_ms = skl_mono_ms();
    a->exit_known = false;
    /* As with a process namespace: nothing of the container outlives its first process. */
    agent_signal_all(SIGKILL);
    agent_send_output(a);
    if (a->session)
        agent_send_exit(a);
    if (a->options->http_hold_s > 0)
        agent_invocation_over(a);
    agent_check_life(a);
}

/* -- START */

static void read_ports(struct agent *a, struct skl_str payload)
{
    struct skl_tlv r;

    memset(a->ports, 0, sizeof(a->ports));
    while (skl_tlv_next(&payload, &r, NULL) > 0)
        if (r.tag == SKL_TAG_PORT && skl_tlv_num(&r) <= UINT16_MAX)
            a->ports[skl_tlv_num(&r) / 8] |= (uint8_t)(1u << skl_tlv_num(&r) % 8);
}

void agent_start(struct agent *a, struct skl_str payload)
{
    static const struct agent_process_events events = {on_output, on_drained, on_end};
    char **hosts = skl_tlv_find_strv(payload, SKL_TAG_HOSTS);
    char *hostname SKL_AUTO_STR = skl_tlv_find_dup(payload, SKL_TAG_HOSTNAME);
    struct agent_process_spec spec;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;
    int code, rc;

    if (a->state == AGENT_RUNNING) {
        skl_strv_free(hosts);
        return; /* it was started by an earlier word */
    }
    if (hostname && getpid() == 1)
        (void)!sethostname(hostname, strlen(hostname)); /* only where it is our own */
    add_hosts(hosts);
    skl_strv_free(hosts);
    if (!a->any_run) {
        a->root_mtime_ns = agent_mtime_ns("/");
        a->etc_mtime_ns = agent_mtime_ns("/etc");
    }
    a->run_began_ns = agent_file_clock_after(a->put_ended_ns); /* not the command's work */
    (void)read_oom_count(&oom_before);
    skl_link_forget(a->link, SKL_STREAM_MAIN);
    agent_read_process_spec(a, payload, &spec);
    a->run = (unsigned)skl_tlv_find_num(payload, SKL_TAG_RUN, a->run + 1);
    if (a->invoked_run)
        a->invoked_run =
            a->run; /* requests that hold this run join the one that began the workload */
    a->warm_seconds =
        (unsigned)skl_tlv_find_num(payload, SKL_TAG_WARM_SECONDS, a->options->warm_seconds);
    a->has_init = skl_tlv_find_num(payload, SKL_TAG_INIT, 0) != 0;
    read_ports(a, payload);
    rc = agent_process_start(a->loop, &spec, &events, a, &a->process, &code, &err);
    agent_process_spec_fini(&spec);
    if (rc < 0) {
        agent_task_error(a, SKL_STREAM_MAIN, code, err.msg);
        return;
    }
    a->state = AGENT_RUNNING;
    a->any_run = true;
    skl_timer_cancel(&a->life);
    skl_buf_init(&b, 128);
    skl_tlv_u64(&b, SKL_TAG_RUN, a->run);
    skl_tlv_u64(&b, SKL_TAG_PID, (uint64_t)agent_process_pid(a->process));
    skl_tlv_u64(&b, SKL_TAG_STARTED_NS, (uint64_t)skl_wall_ns());
    skl_link_send(a->link, SKL_FRAME_STARTED, SKL_STREAM_MAIN, skl_buf_str(&b));
}

void agent_main_frame(struct agent *a, const struct skl_frame *f)
{
    int signo = (int)skl_tlv_find_num(f->payload, SKL_TAG_SIGNAL_NO, SIGTERM);

    if (f->type == SKL_FRAME_START) {
        agent_start(a, f->payload);
        return;
    }
    if (!a->process) {
        if (f->type == SKL_FRAME_STDIN)
            skl_link_consumed(a->link, SKL_STREAM_MAIN, f->payload.n);
        return;
    }
    switch (f->type) {
    case SKL_FRAME_STDIN:
        agent_process_stdin(a->process, f->payload);
        break;
    case SKL_FRAME_END:
        agent_process_stdin_end(a->process);
        break;
    case SKL_FRAME_SIGNAL:
        if (a->has_init)
            agent_process_signal(a->process, signo);
        else
            agent_process_signal_first(a->process, signo);
        break;
    case SKL_FRAME_PAUSE:
        agent_signal_all(skl_tlv_find_num(f->payload, SKL_TAG_CODE, 0) ? SIGSTOP : SIGCONT);
        break;
    case SKL_FRAME_RESIZE:
        agent_process_resize(a->process, (unsigned)skl_tlv_find_num(f->payload, SKL_TAG_ROWS, 0),
                             (unsigned)skl_tlv_find_num(f->payload, SKL_TAG_COLS, 0));
        break;
    }
}

/* -- when the agent ends */

static bool is_delivered(const struct agent *a)
{
    return !a->any_run || a->dismissed ||
           (a->exit_known && agent_output_oldest(a->output) == agent_output_end(a->output));
}

static void look(void *arg)
{
    struct agent *a = arg;

    a->life = NULL;
    agent_check_life(a);
}

void agent_check_life(struct agent *a)
{
    int64_t now = skl_mono_ms();
    bool warm;

    if (a->state == AGENT_RUNNING || a->leaving)
        return;
    if (skl_link_is_up(a->link))
        a->last_up_ms = now;
    /* The exit frame has been confirmed: nothing numbered is on the way. */
    if (a->any_run && skl_link_is_up(a->link) && skl_link_kept(a->link) == 0)
        a->exit_known = true;
    /* What is still asked for (a volume's content) is given before the warm time ends. */
    warm = a->any_run && !a->shutting_down &&
           (now - a->ended_ms < (int64_t)a->warm_seconds * 1000 || !skl_list_empty(&a->tasks));
    if ((a->any_run || a->shutting_down) && !warm &&
        (is_delivered(a) ||
         now - a->last_up_ms > (a->shutting_down ? STOPPED_KEEP_MS : KEEP_RESULT_MS))) {
        agent_leave(a, a->any_run ? a->exit_code : SKL_AGENT_EXIT_NO_START);
        return;
    }
    if (!a->any_run)
        return; /* the start timeout is armed in main() */
    skl_timer_cancel(&a->life);
    a->life = skl_timer_start(a->loop, warm || a->warm_seconds ? LOOK_MS / 4 : 20, look, a);
}

void agent_shutdown(struct agent *a, int signo, bool dismissed)
{
    a->shutting_down = true;
    a->dismissed |= dismissed;
    if (a->leaving)
        agent_leave(a, a->any_run ? a->exit_code : SKL_AGENT_EXIT_NO_START);
    else if (a->process)
        agent_process_signal(a->process, signo);
    else
        agent_check_life(a);
}
