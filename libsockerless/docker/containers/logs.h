/* logs - how lines of output are written to a client; shared by the spool's and the cloud's logs. */
#ifndef SKL_DOCKER_LOGS_H
#define SKL_DOCKER_LOGS_H

#include "docker/api/request.h"

struct skl_logs_format {
    bool framed, want_stdout, want_stderr, timestamps, follow;
    int64_t since_ns, until_ns; /* 0: none */
    int64_t tail;               /* -1: all */
    char *details;              /* NULL: not wanted; owned */
};

/* The line with its newline, if it has one. */
void skl_logs_write_line(struct skl_http *x, const struct skl_logs_format *f, int stream_no,
                         int64_t time_ns, struct skl_str line);
char *skl_logs_details(const struct skl_container *c); /* owned; logs_details.c */
/* Answers from the cloud's log service (backend->container_logs); swallows the format's details. */
void skl_logs_from_cloud(struct skl_request *r, struct skl_container *c, struct skl_logs_format *f);

#endif
