/* Output that the backend has not confirmed: in memory first, then in a file without a name, then not at all (the
 * process waits in its write). The file is only used when the backend is away or slow. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "base/alloc.h"
#include "base/limits.h"

#define MAX_MEMORY (1 * SKL_MIB)
#define MAX_FILE   (64 * SKL_MIB)
#define WINDOW     (1 * SKL_MIB) /* sent and not confirmed */

struct piece {
    struct skl_list in_output;
    bool is_stderr;
    uint64_t offset;
    size_t n;
    off_t in_file; /* -1: bytes follow */
    char bytes[];
};

struct agent_output {
    struct skl_list pieces; /* confirmed ones are gone */
    struct skl_list *next;  /* to be sent; the head of the list: none */
    uint64_t end, confirmed, sent;
    size_t in_memory;
    int fd; /* -1: not opened, -2: cannot be */
    off_t file_end;
    size_t in_file;
    char *scratch; /* a piece read back from the file */
};

struct agent_output *agent_output_new(void)
{
    struct agent_output *o = skl_new0(struct agent_output);

    skl_list_init(&o->pieces);
    o->next = &o->pieces;
    o->fd = -1;
    return o;
}

void agent_output_free(struct agent_output *o)
{
    struct skl_list *it, *tmp;

    skl_list_foreach_safe (it, tmp, &o->pieces)
        free(SKL_LIST_ENTRY(it, struct piece, in_output));
    if (o->fd >= 0)
        close(o->fd);
    free(o->scratch);
    free(o);
}

static int open_file(void)
{
    static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "."};

    for (size_t i = 0; i < SKL_ARRAY_LEN(dirs); i++) {
        int fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0)
            return fd;
    }
    return -2; /* memory has to do */
}

bool agent_output_is_full(const struct agent_output *o)
{
    return o->in_memory >= MAX_MEMORY && (o->fd == -2 || o->in_file >= MAX_FILE);
}

uint64_t agent_output_end(const struct agent_output *o)
{
    return o->end;
}

uint64_t agent_output_oldest(const struct agent_output *o)
{
    return o->confirmed;
}

static off_t spill(struct agent_output *o, struct skl_str data)
{
    off_t at = o->file_end;

    if (o->in_memory < MAX_MEMORY)
        return -1;
    if (o->fd == -1)
        o->fd = open_file();
    if (o->fd < 0 || pwrite(o->fd, data.p, data.n, at) != (ssize_t)data.n)
        return -1; /* a little over the mark in memory; the reader stops now */
    o->file_end += (off_t)data.n;
    o->in_file += data.n;
    return at;
}

void agent_output_add(struct agent_output *o, bool is_stderr, struct skl_str data)
{
    off_t at = spill(o, data);
    struct piece *p = skl_alloc0(1, sizeof(*p) + (at < 0 ? data.n : 0));

    p->is_stderr = is_stderr;
    p->offset = o->end;
    p->n = data.n;
    p->in_file = at;
    if (at < 0) {
        memcpy(p->bytes, data.p, data.n);
        o->in_memory += data.n;
        if (o->in_memory >= MAX_MEMORY && o->fd == -1)
            o->fd = open_file();
    }
    skl_list_push(&o->pieces, &p->in_output);
    if (o->next == &o->pieces)
        o->next = &p->in_output;
    o->end += data.n;
}

void agent_output_confirm(struct agent_output *o, uint64_t offset)
{
    if (offset > o->end || offset <= o->confirmed)
        return;
    o->confirmed = offset;
    while (!skl_list_empty(&o->pieces)) {
        struct piece *p = SKL_LIST_FIRST(&o->pieces, struct piece, in_output);

        if (p->offset + p->n > offset)
            break;
        if (o->next == &p->in_output)
            o->next = p->in_output.next;
        skl_list_remove(&p->in_output);
        if (p->in_file < 0)
            o->in_memory -= p->n;
        else
            o->in_file -= p->n;
        free(p);
    }
    if (o->in_file == 0 && o->fd >= 0 && o->file_end > 0) {
        (void)!ftruncate(o->fd, 0); /* space back; a failure costs space alone */
        o->file_end = 0;
    }
}

void agent_output_rewind(struct agent_output *o, uint64_t offset)
{
    agent_output_confirm(o, offset);
    o->next = o->pieces.next;
    o->sent = o->confirmed;
}

bool agent_output_next(struct agent_output *o, bool *is_stderr, uint64_t *offset,
                       struct skl_str *data)
{
    struct piece *p;
    size_t skip;

    if (o->next == &o->pieces || o->sent - o->confirmed >= WINDOW)
        return false;
    p = SKL_LIST_ENTRY(o->next, struct piece, in_output);
    skip = o->confirmed > p->offset ? (size_t)(o->confirmed - p->offset) : 0;
    *is_stderr = p->is_stderr;
    *offset = p->offset + skip;
    if (p->in_file < 0) {
        *data = skl_str_n(p->bytes + skip, p->n - skip);
    } else {
        o->scratch = skl_realloc(o->scratch, p->n, 1);
        SKL_ASSERT(pread(o->fd, o->scratch, p->n, p->in_file) == (ssize_t)p->n);
        *data = skl_str_n(o->scratch + skip, p->n - skip);
    }
    o->next = p->in_output.next;
    o->sent = p->offset + p->n;
    return true;
}
