/* notify - the service manager's protocol: readiness, and sockets that it opened for us. */
#ifndef SKL_DAEMON_NOTIFY_H
#define SKL_DAEMON_NOTIFY_H

/* "READY=1" and the like to $NOTIFY_SOCKET; nothing happens without it. */
void skl_notify(const char *notify_socket, const char *state);
/* How many descriptors from 3 on were passed to this process; 0 for none. */
int skl_notify_listen_fds(const char *listen_pid, const char *listen_fds);

#endif
