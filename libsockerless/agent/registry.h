/* registry - which containers may have an agent, and the session of each that is connected.
 *
 * Shape   one entry per container that was prepared: token, session or NULL. Reverse agents arrive at
 *         skl_agents_accept(); forward ones are dialled by skl_agents_dial().
 * Rules   wrong, missing and forgotten tokens get 401 in the same time and a log line without secrets;
 *         an agent reaches its own container's entry only. An address that goes on gets 429 and its connections
 *         end; a valid token passes all the same.
 * Thread  loop thread
 */
#ifndef SKL_AGENT_REGISTRY_H
#define SKL_AGENT_REGISTRY_H

#include "agent/session.h"

struct skl_agents;

struct skl_agents *skl_agents_new(uv_loop_t *loop, const struct skl_session_events *events,
                                  void *arg);
void skl_agents_close(struct skl_agents *a);

/* Before the workload is started: makes the entry (or keeps it) and sets its token. `owner` comes back
 * in every session event of this container. */
void skl_agents_prepare(struct skl_agents *a, const char *container_id, const char *token,
                        void *owner);
/* Ends the session and makes the token useless. */
void skl_agents_forget(struct skl_agents *a, const char *container_id);
struct skl_session *skl_agents_find(struct skl_agents *a,
                                    const char *container_id); /* NULL: none */
unsigned skl_agents_connected(const struct skl_agents *a);

/* Handler for the agent listener's HTTP server: GET /agent/v1 (or /, for a callback URL without
 * a path; or the seeds' form, any path with id and token in the query) is upgraded, all else is 404. */
void skl_agents_accept(struct skl_agents *a, struct skl_http *x);
/* Dials ADDR:PORT again and again (backoff) until it answers, deadline_ms passed or forget. */
void skl_agents_dial(struct skl_agents *a, const char *container_id, const char *address,
                     int64_t deadline_ms);

#endif
