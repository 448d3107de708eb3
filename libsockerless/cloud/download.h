/* download - a file of the web, for ADD in a build.
 *
 * Shape   GET over http and https with up to 10 redirects, written to a descriptor as it comes
 * Errors  NOTFOUND and INTERNAL in the words of a Docker Engine; TOOBIG past max; FORBIDDEN for link-local addresses:
 *         that is where clouds hand out the identity of the machine that this daemon runs on
 * Thread  any; blocks, up to 10 min
 */
#ifndef SKL_CLOUD_DOWNLOAD_H
#define SKL_CLOUD_DOWNLOAD_H

#include <stdint.h>

#include "base/error.h"

/* *ret_mtime_s: of Last-Modified, 0 without. */
int skl_download(const char *url, int fd, int64_t max, int64_t *ret_mtime_s, struct skl_error *err);

#endif
