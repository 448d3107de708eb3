/* Further processes. An exec whose backend has lost interest runs on; its stdin ends and its output is dropped. */
#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"

struct exec {
    struct agent_task task;
    struct agent_process *process;
    bool abandoned;
    struct skl_buf waiting[2]; /* output beyond the credit: at most one read each */
    bool ended;
    int code, signal;
};

static void finish(struct exec *x)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    if (!x->abandoned) {
        skl_buf_init(&b, 256);
        skl_tlv_u64(&b, SKL_TAG_CODE, (uint64_t)x->code);
        skl_tlv_u64(&b, SKL_TAG_SIGNAL_NO, (uint64_t)x->signal);
        skl_link_send(x->task.a->link, SKL_FRAME_END, x->task.stream, skl_str_n("", 0));
        skl_link_send(x->task.a->link, SKL_FRAME_EXIT, x->task.stream, skl_buf_str(&b));
        agent_task_end(&x->task);
    }
    skl_buf_fini(&x->waiting[0]);
    skl_buf_fini(&x->waiting[1]);
    free(x);
}

/* What fits into the credit; false: something is left. */
static bool flush(struct exec *x)
{
    for (int i = 0; i < 2; i++)
        while (x->waiting[i].n > 0) {
            size_t n = skl_link_credit(x->task.a->link, x->task.stream);

            if (n == 0)
                return false;
            n = n < x->waiting[i].n ? n : x->waiting[i].n;
            n = n < SKL_FRAME_MAX_PAYLOAD ? n : SKL_FRAME_MAX_PAYLOAD;
            skl_link_send(x->task.a->link, i ? SKL_FRAME_STDERR : SKL_FRAME_STDOUT, x->task.stream,
                          skl_str_n(x->waiting[i].p, n));
            skl_buf_consume(&x->waiting[i], n);
        }
    return true;
}

static bool on_output(void *arg, bool is_stderr, struct skl_str data)
{
    struct exec *x = arg;

    if (x->abandoned)
        return true;
    skl_buf_addstr(&x->waiting[is_stderr], data);
    return flush(x);
}

static void on_drained(void *arg, size_t n)
{
    struct exec *x = arg;

    if (!x->abandoned)
        skl_link_consumed(x->task.a->link, x->task.stream, n);
}

static void on_end(void *arg, int code, int signo)
{
    struct exec *x = arg;

    x->process = NULL;
    x->code = code;
    x->signal = signo;
    x->ended = true;
    if (x->abandoned || flush(x))
        finish(x);
}

static void on_credit(struct agent_task *t)
{
    struct exec *x = SKL_CONTAINER_OF(t, struct exec, task);

    if (!flush(x))
        return;
    if (x->ended)
        finish(x);
    else
        agent_process_resume(x->process);
}

static void on_close(struct agent_task *t)
{
    struct exec *x = SKL_CONTAINER_OF(t, struct exec, task);

    agent_task_end(t);
    x->abandoned = true;
    skl_buf_reset(&x->waiting[0]);
    skl_buf_reset(&x->waiting[1]);
    if (x->ended) {
        finish(x);
        return;
    }
    agent_process_stdin_end(x->process);
    agent_process_resume(x->process);
}

static void on_frame(struct agent_task *t, const struct skl_frame *f)
{
    struct exec *x = SKL_CONTAINER_OF(t, struct exec, task);

    if (x->ended)
        return;
    switch (f->type) {
    case SKL_FRAME_STDIN:
        agent_process_stdin(x->process, f->payload);
        break;
    case SKL_FRAME_END:
        agent_process_stdin_end(x->process);
        break;
    case SKL_FRAME_SIGNAL:
        agent_process_signal(x->process, (int)skl_tlv_find_num(f->payload, SKL_TAG_SIGNAL_NO, 15));
        break;
    case SKL_FRAME_RESIZE:
        agent_process_resize(x->process, (unsigned)skl_tlv_find_num(f->payload, SKL_TAG_ROWS, 0),
                             (unsigned)skl_tlv_find_num(f->payload, SKL_TAG_COLS, 0));
        break;
    }
}

void agent_exec(struct agent *a, const struct skl_frame *f)
{
    static const struct agent_process_events events = {on_output, on_drained, on_end};
    struct agent_process_spec spec;
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_error err;
    struct exec *x;
    int code;

    if (a->state != AGENT_RUNNING) {
        agent_task_error(a, f->stream, 409, "the container is not running");
        return;
    }
    agent_read_process_spec(a, f->payload, &spec);
    x = skl_new0(struct exec);
    if (agent_process_start(a->loop, &spec, &events, x, &x->process, &code, &err) < 0) {
        free(x);
        agent_process_spec_fini(&spec);
        agent_task_error(a, f->stream, code, err.msg);
        return;
    }
    agent_process_spec_fini(&spec);
    skl_buf_init(&x->waiting[0], 2 * SKL_READ_CHUNK);
    skl_buf_init(&x->waiting[1], 2 * SKL_READ_CHUNK);
    x->task.is_exec = true;
    x->task.on_frame = on_frame;
    x->task.on_credit = on_credit;
    x->task.on_close = on_close;
    agent_task_init(&x->task, a, f->stream);
    skl_buf_init(&b, 64);
    skl_tlv_u64(&b, SKL_TAG_PID, (uint64_t)agent_process_pid(x->process));
    skl_link_send(a->link, SKL_FRAME_STARTED, f->stream, skl_buf_str(&b));
}
