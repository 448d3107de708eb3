/* startup_pages - gives back the memory that only the way up needed. */
#ifndef SKL_DAEMON_STARTUP_PAGES_H
#define SKL_DAEMON_STARTUP_PAGES_H

/* Call once the daemon listens. What is used again comes back by itself, a page at a time. */
void skl_startup_pages_release(void);

#endif
