/* Streams that the backend has opened, and the short answers on them. */
#include "agent.h"
#include "base/limits.h"

void agent_task_init(struct agent_task *t, struct agent *a, uint32_t stream)
{
    t->a = a;
    t->stream = stream;
    skl_list_push(&a->tasks, &t->in_agent);
}

void agent_task_end(struct agent_task *t)
{
    skl_list_remove(&t->in_agent);
    skl_link_forget(t->a->link, t->stream);
}

struct agent_task *agent_task_find(struct agent *a, uint32_t stream)
{
    struct skl_list *it;

    skl_list_foreach (it, &a->tasks) {
        struct agent_task *t = SKL_LIST_ENTRY(it, struct agent_task, in_agent);

        if (t->stream == stream)
            return t;
    }
    return NULL;
}

void agent_task_error(struct agent *a, uint32_t stream, int code, const char *message)
{
    SKL_AUTO_BUF struct skl_buf b = {0};

    skl_buf_init(&b, 16 * SKL_KIB);
    skl_tlv_u64(&b, SKL_TAG_CODE, (uint64_t)code);
    skl_tlv_strz(&b, SKL_TAG_MESSAGE, message);
    skl_link_send(a->link, SKL_FRAME_ERROR, stream, skl_buf_str(&b));
}

void agent_task_result(struct agent *a, uint32_t stream, struct skl_str payload)
{
    skl_link_send(a->link, SKL_FRAME_RESULT, stream, payload);
}

void agent_tasks_close(struct agent *a)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &a->tasks) {
        struct agent_task *t = SKL_LIST_ENTRY(it, struct agent_task, in_agent);

        t->on_close(t);
    }
}
