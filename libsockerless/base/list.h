/* list - intrusive doubly linked list; the head is a node of its own.
 *
 * A node that is in no list points to itself, so removing it twice is harmless.
 */
#ifndef SKL_BASE_LIST_H
#define SKL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct skl_list {
    struct skl_list *next, *prev;
};

static inline void skl_list_init(struct skl_list *l)
{
    l->next = l->prev = l;
}

static inline bool skl_list_empty(const struct skl_list *l)
{
    return l->next == l;
}

static inline void skl_list_push(struct skl_list *head, struct skl_list *node) /* at the end */
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void skl_list_push_front(struct skl_list *head, struct skl_list *node)
{
    skl_list_push(head->next, node);
}

static inline void skl_list_remove(struct skl_list *node)
{
    if (!node->next)
        return; /* zeroed memory: never was in a list */
    node->prev->next = node->next;
    node->next->prev = node->prev;
    skl_list_init(node);
}

#define SKL_LIST_ENTRY(node, type, member) SKL_CONTAINER_OF(node, type, member)
#define SKL_LIST_FIRST(head, type, member)                                                         \
    (skl_list_empty(head) ? NULL : SKL_LIST_ENTRY((head)->next, type, member))

/* `it` is a struct skl_list *. The _safe form allows removing (and freeing) the current node. */
#define skl_list_foreach(it, head) for (it = (head)->next; it != (head); it = it->next)
#define skl_list_foreach_safe(it, tmp, head)                                                       \
    for (it = (head)->next, tmp = it->next; it != (head); it = tmp, tmp = it->next)

static inline size_t skl_list_length(const struct skl_list *head) /* walks it */
{
    const struct skl_list *it;
    size_t n = 0;

    skl_list_foreach (it, head)
        n++;
    return n;
}

#endif
