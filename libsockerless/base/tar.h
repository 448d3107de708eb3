/* tar - reading and writing tar archives, without I/O: bytes in, events out, and the other way.
 *
 * Shape   reads v7, ustar, pax (local and global headers), GNU long names, base-256 numbers and all GNU
 *         sparse forms; writes ustar, with a pax header in front of what does not fit
 * Errors  SKL_E_PROTOCOL for anything that is no archive, SKL_E_TOOBIG past a limit, SKL_E_UNSUPPORTED
 *         for a kind of member that we do not know; a reader that failed stays failed
 * Owns    what an event points to is the reader's, or a part of the input; good until the next call
 * Thread  any, one at a time per reader
 * Limits  names SKL_TAR_MAX_NAME, extension headers of one member SKL_TAR_MAX_PAX, holes
 *         SKL_TAR_MAX_EXTENTS; member data is never held
 */
#ifndef SKL_BASE_TAR_H
#define SKL_BASE_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

#define SKL_TAR_BLOCK       512
#define SKL_TAR_MAX_NAME    65536u          /* PATH_MAX is 4096; archives are known to hold more */
#define SKL_TAR_MAX_PAX     (1024u * 1024u) /* extended attributes are at most 64 KiB each */
#define SKL_TAR_MAX_EXTENTS 262144u /* pieces of data between the holes of one file: 4 MiB */

enum skl_tar_type {
    SKL_TAR_FILE,
    SKL_TAR_HARDLINK,
    SKL_TAR_SYMLINK,
    SKL_TAR_CHARDEV,
    SKL_TAR_BLOCKDEV,
    SKL_TAR_DIR,
    SKL_TAR_FIFO
};

struct skl_tar_xattr {
    const char *name; /* "security.capability" */
    struct skl_str value;
};

struct skl_tar_entry {
    enum skl_tar_type type;
    const char *name;          /* as it is in the archive: see skl_tar_clean_path() */
    const char *linkname;      /* "" where the type has none */
    const char *uname, *gname; /* "" when not said */
    uint32_t mode;             /* permission bits and setuid, setgid, sticky */
    int64_t uid, gid;
    int64_t size; /* of the file, holes included; 0 where the type has no data */
    int64_t mtime_s;
    int32_t mtime_ns; /* 0 .. 999,999,999, also before 1970 */
    uint32_t devmajor, devminor;
    const struct skl_tar_xattr *xattrs;
    size_t n_xattrs;
    bool sparse; /* what no DATA event covers is a hole: make the file `size` long */
};

/* -- reading */

enum skl_tar_event_type {
    SKL_TAR_EV_MORE,      /* the input is used up */
    SKL_TAR_EV_ENTRY,     /* a member begins */
    SKL_TAR_EV_DATA,      /* bytes of its file, offsets rising */
    SKL_TAR_EV_ENTRY_END, /* all of its data was delivered; comes for every member */
    SKL_TAR_EV_END        /* the end blocks; what follows them is swallowed */
};

struct skl_tar_event {
    enum skl_tar_event_type type;
    const struct skl_tar_entry *entry; /* ENTRY, DATA, ENTRY_END */
    int64_t offset;                    /* DATA: where in the file */
    struct skl_str data;               /* DATA: a part of the input, never empty */
};

struct skl_tar_reader;

struct skl_tar_reader *skl_tar_reader_new(void);
void skl_tar_reader_free(struct skl_tar_reader *r); /* NULL is fine */
SKL_DEFINE_AUTO(tar_reader);

/* Takes bytes off the front of *in up to the next event. Call it until MORE, then bring new bytes:
 *
 *     while ((rc = skl_tar_reader_next(r, &in, &ev, err)) == 0 && ev.type != SKL_TAR_EV_MORE)
 */
int skl_tar_reader_next(struct skl_tar_reader *r, struct skl_str *in, struct skl_tar_event *ev,
                        struct skl_error *err);
/* There is no more input: fails in the middle of a member. Missing end blocks and padding are no failure. */
int skl_tar_reader_finish(const struct skl_tar_reader *r, struct skl_error *err);

/* -- writing */

/* Appends the header of a member; `size` bytes of data and skl_tar_write_padding() must follow. Names of
 * directories get their '/'. Holes are not written: `sparse` must be false. */
int skl_tar_write_header(struct skl_buf *b, const struct skl_tar_entry *e, struct skl_error *err);
void skl_tar_write_padding(struct skl_buf *b, int64_t size); /* after `size` bytes of data */
void skl_tar_write_end(struct skl_buf *b);

/* -- names */

/* The member's name below its root: no leading '/', no ".", no empty component, no '/' at the end; "" is
 * the root itself. A ".." component fails with SKL_E_INVALID. *ret is owned. */
int skl_tar_clean_path(const char *name, char **ret, struct skl_error *err);

#endif
