/* tar_internal - what the parts of the tar codec share. */
#ifndef SKL_BASE_TAR_INTERNAL_H
#define SKL_BASE_TAR_INTERNAL_H

#include "base/tar.h"

/* Bytes of a header block: POSIX ustar, and what old GNU tar keeps in the place of the prefix. */
enum {
    TAR_NAME = 0,
    TAR_NAME_LEN = 100,
    TAR_MODE = 100,
    TAR_UID = 108,
    TAR_GID = 116,
    TAR_SIZE = 124,
    TAR_MTIME = 136,
    TAR_CHKSUM = 148,
    TAR_TYPE = 156,
    TAR_LINKNAME = 157,
    TAR_MAGIC = 257,
    TAR_UNAME = 265,
    TAR_GNAME = 297,
    TAR_OWNER_LEN = 32,
    TAR_DEVMAJOR = 329,
    TAR_DEVMINOR = 337,
    TAR_PREFIX = 345,
    TAR_PREFIX_LEN = 155,
    TAR_ID_LEN = 8,
    TAR_NUMBER_LEN = 12,
    TAR_GNU_SPARSE = 386, /* 4 pairs of 12-byte numbers */
    TAR_GNU_SPARSE_PAIRS = 4,
    TAR_GNU_EXTENDED = 482,
    TAR_GNU_REALSIZE = 483,
    TAR_GNU_MORE_PAIRS = 21, /* in each block that follows, its own flag behind them */
    TAR_GNU_MORE_EXTENDED = 504
};

/* The pieces of a file that are stored. */
struct skl_tar_extent {
    int64_t offset, length;
};

struct skl_tar_extents {
    struct skl_tar_extent *at;
    size_t n, cap;
};

int skl_tar_extents_add(struct skl_tar_extents *x, int64_t offset, int64_t length,
                        struct skl_error *err);
/* Rising, inside the file, and as long together as what is stored. */
int skl_tar_extents_check(const struct skl_tar_extents *x, int64_t file_size, int64_t stored,
                          struct skl_error *err);
void skl_tar_extents_clear(struct skl_tar_extents *x);

/* Pairs of an old GNU header; stops at the first empty one. */
int skl_tar_extents_add_gnu(struct skl_tar_extents *x, const unsigned char *p, size_t pairs,
                            struct skl_error *err);

/* The map in front of the data in GNU's pax form 1.0: decimal numbers, a line each. */
struct skl_tar_map_text {
    bool has_count, has_offset;
    uint64_t count, number;
    int64_t offset;
    unsigned digits;
};

/* Takes one byte; *done says that the map is complete. */
int skl_tar_map_text_add(struct skl_tar_map_text *m, char c, struct skl_tar_extents *x, bool *done,
                         struct skl_error *err);

/* Octal or base-256. */
bool skl_tar_number(const unsigned char *p, size_t n, int64_t *ret);

/* -- pax records */

enum skl_tar_text { PAX_PATH, PAX_LINKPATH, PAX_UNAME, PAX_GNAME, PAX_SPARSE_NAME, PAX_TEXT_MAX_ };

enum skl_tar_number_key {
    PAX_SIZE,
    PAX_UID,
    PAX_GID,
    PAX_MTIME,
    PAX_SPARSE_SIZE,
    PAX_SPARSE_REALSIZE,
    PAX_SPARSE_MAJOR,
    PAX_SPARSE_MINOR,
    PAX_NUMBER_MAX_
};

/* An empty value in a local header takes a global one back. */
enum skl_tar_set { PAX_ABSENT, PAX_SET, PAX_TAKEN_BACK };

struct skl_tar_pax {
    struct {
        enum skl_tar_set set;
        char *value;
    } text[PAX_TEXT_MAX_];
    struct {
        enum skl_tar_set set;
        int64_t value;
    } number[PAX_NUMBER_MAX_];
    int32_t mtime_ns;
    struct skl_tar_xattr *xattrs; /* each with its name and value allocated */
    size_t n_xattrs;
    struct skl_tar_extents map; /* sparse 0.0 and 0.1 */
    bool has_map_offset;
    int64_t map_offset;
};

/* Adds the records of one header to what is there. A global header brings neither attributes nor holes. */
int skl_tar_pax_parse(struct skl_tar_pax *x, struct skl_str body, bool is_global,
                      struct skl_error *err);
void skl_tar_pax_clear(struct skl_tar_pax *x);

#endif
