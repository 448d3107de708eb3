/* wire - the frames that the backend and the agent exchange, one per WebSocket binary message.
 *
 * Shape   type (1 byte), flags (1), reserved (2, zero), stream id (4, big endian), payload.
 *         Control payloads are records: tag (2, big endian), length (4, big endian), value.
 *         Numbers are 8 bytes big endian. A tag may repeat (argv, environment).
 * Limits  payload <= SKL_FRAME_MAX_PAYLOAD for data; control payloads <= SKL_WS_MAX_MESSAGE - 8
 * Source  docs/agent-protocol.md; change both together
 */
#ifndef SKL_AGENT_WIRE_H
#define SKL_AGENT_WIRE_H

#include "base/buf.h"

#define SKL_WIRE_VERSION 1
#define SKL_FRAME_HEAD   8

/* stream ids */
#define SKL_STREAM_CONTROL 0 /* session-wide frames */
#define SKL_STREAM_MAIN    1 /* the container's main process */
/* from 2 on: opened by the backend with EXEC, ARCHIVE_*, TOP, STATS, PROBE, TUNNEL_OPEN */

/* B: sent by the backend, A: by the agent. "link" frames carry the session itself and are never
 * numbered or retained; all others are numbered by link.h, except STDOUT/STDERR of the main stream,
 * which carry a byte offset of their own. */
#define SKL_FRAME_TYPES(X)                                                                         \
    X(HELLO, 1)        /* A link: who I am, what I have, how far I got */                          \
    X(WELCOME, 2)      /* B link: go on from here */                                               \
    X(START, 3)        /* B main: begin the command */                                             \
    X(SHUTDOWN, 4)     /* B control: end the workload (main is killed if it runs) */               \
    X(EXEC, 5)         /* B: a further process on a new stream */                                  \
    X(STARTED, 6)      /* A: main or exec process runs (pid) */                                    \
    X(STDIN, 7)        /* B: bytes for the process, or of an archive */                            \
    X(STDOUT, 8)       /* A: bytes; on the main stream 8 bytes offset first */                     \
    X(STDERR, 9)       /* A: likewise */                                                           \
    X(END, 10)         /* both: no more bytes from me on this stream */                            \
    X(EXIT, 11)        /* A: the process ended (code, signal, oom); an exec's stream is over */    \
    X(SIGNAL, 12)      /* B: to the process of the stream */                                       \
    X(RESIZE, 13)      /* B: terminal size */                                                      \
    X(ARCHIVE_GET, 14) /* B: path as tar; A answers RESULT, STDOUT..., END */                      \
    X(ARCHIVE_PUT, 15) /* B: tar in STDIN..., END; A answers RESULT when unpacked */               \
    X(ARCHIVE_STAT, 16)                                                                            \
    X(TOP, 17)                                                                                     \
    X(STATS, 18)                                                                                   \
    X(PROBE, 19)        /* B: are you there and what runs; A answers RESULT */                     \
    X(TUNNEL_OPEN, 20)  /* B: a TCP connection to a port of the workload, on a new stream */       \
    X(TUNNEL_DATA, 21)  /* both: its bytes; END is a half-close */                                 \
    X(TUNNEL_CLOSE, 22) /* A: the connection broke; the stream is over */                          \
    X(CREDIT, 23)       /* both link: bytes consumed so far on a stream, and frames received */    \
    X(PING, 24)         /* both link */                                                            \
    X(PONG, 25)         /* both link */                                                            \
    X(ERROR, 26)        /* A: the request of this stream failed (code, message); it is over */     \
    X(RESULT, 27)       /* A: the answer to ARCHIVE_*, TOP, STATS, PROBE */                        \
    X(CLOSE, 28)        /* B: I am no longer interested in this stream */                          \
    X(PAUSE, 29)        /* B main: SIGSTOP (1) or SIGCONT (0) to every process of the container */

enum skl_frame_type {
#define X(name, value) SKL_FRAME_##name = value,
    SKL_FRAME_TYPES(X)
#undef X
};

#define SKL_TAGS(X)                                                                                \
    X(VERSION, 1)                                                                                  \
    X(CONTAINER_ID, 2)                                                                             \
    X(INSTANCE, 3) /* random text naming this life of the agent process */                         \
    X(SESSION, 4)  /* random text naming this numbering of frames; chosen by the backend */        \
    X(RECEIVED, 5) /* numbered frames received in this session */                                  \
    X(STATE, 6)    /* main process: 0 waiting, 1 running, 2 ended */                               \
    X(OFFSET, 7)   /* main output: HELLO next offset produced; WELCOME resend from here */         \
    X(OLDEST, 8)   /* main output: oldest offset the agent still has */                            \
    X(RUN, 9)      /* number of the run: START chooses it, 1 for the first */                      \
    X(CODE, 10)    /* exit code; kind of an ERROR */                                               \
    X(SIGNAL_NO, 11)                                                                               \
    X(OOM, 12)                                                                                     \
    X(PID, 13)                                                                                     \
    X(ARG, 14) /* repeated */                                                                      \
    X(ENV, 15) /* repeated, NAME=value */                                                          \
    X(CWD, 16)                                                                                     \
    X(USER, 17) /* as Docker takes it: name|uid[:group|gid] */                                     \
    X(TTY, 18)                                                                                     \
    X(STDIN_OPEN, 19) /* the process gets a pipe, else /dev/null */                                \
    X(ROWS, 20)                                                                                    \
    X(COLS, 21)                                                                                    \
    X(PATH, 22)                                                                                    \
    X(MESSAGE, 23)                                                                                 \
    X(NO_OVERWRITE_DIR, 24)                                                                        \
    X(COPY_UIDGID, 25)                                                                             \
    X(NAME, 26)                                                                                    \
    X(SIZE, 27)                                                                                    \
    X(MODE, 28) /* Go's os.FileMode bits, as Docker's path stat has them */                        \
    X(MTIME_NS, 29)                                                                                \
    X(LINK_TARGET, 30)                                                                             \
    X(PS_ARGS, 31)                                                                                 \
    X(TITLE, 32) /* repeated */                                                                    \
    X(CELL, 33)  /* repeated, row by row */                                                        \
    X(WARM_SECONDS, 34)                                                                            \
    X(IMAGE_ENV, 35) /* 1: merge ENV over the agent's own environment (execs without START env) */ \
    X(HOSTNAME, 36)                                                                                \
    X(STREAM, 37) /* HELLO: repeated, numbers of the exec streams that are alive */                \
    X(WINDOW, 38)                                                                                  \
    X(EXIT_KNOWN, 39) /* WELCOME: the backend has recorded the end of run RUN */                   \
    X(HOSTS, 40)      /* repeated, "ip name": added to /etc/hosts */                               \
    X(INIT, 41)       /* 1: --init, signals are passed on whatever the command does with them */   \
    X(STAT, 42)       /* STATS: repeated, "name value" */                                          \
    X(GROUP_ADD, 43)  /* repeated */                                                               \
    X(ULIMIT, 44)     /* repeated, "name=soft:hard" */                                             \
    X(STARTED_NS, 45) /* wall clock */                                                             \
    X(FINISHED_NS, 46)                                                                             \
    X(PRIVILEGED, 47)                                                                              \
    X(SYMLINK_PATH, 48) /* ARCHIVE_GET of a link: how the name in the archive is to be */          \
    X(CONSUMED, 49)     /* CREDIT: data bytes of the stream consumed so far, from its beginning */ \
    X(PORT, 50)         /* TUNNEL_OPEN; START: repeated, what it may name */                       \
    X(VIEW, 51)         /* ARCHIVE_GET, in the place of PATH: enum skl_view */                     \
    X(IF_CHANGED, 52)   /* ARCHIVE_GET: 1: ERROR 304 if nothing of it changed since START */       \
    X(REPLACE, 53) /* ARCHIVE_PUT: 1: the directory becomes what the archive says, itself too */

enum skl_tag {
#define X(name, value) SKL_TAG_##name = value,
    SKL_TAGS(X)
#undef X
};

/* What else ARCHIVE_GET gives: of the root file system, without what is mounted in it. */
enum skl_view {
    SKL_VIEW_ROOT = 1, /* all of it as a tar archive */
    SKL_VIEW_CHANGES, /* what was changed since the workload began: '0' modified or '1' added, path, NUL, ... */
    SKL_VIEW_LAYER /* the same as a tar archive, with the directories above */
};

struct skl_frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    struct skl_str payload; /* borrowed */
};

const char *skl_frame_name(uint8_t type); /* "?" for unknown ones */
void skl_frame_head(uint8_t head[SKL_FRAME_HEAD], uint8_t type, uint8_t flags, uint32_t stream);
/* Checks size, reserved bytes and that the type is known. */
int skl_frame_parse(struct skl_str message, struct skl_frame *ret, struct skl_error *err);

/* -- records: writing */
void skl_tlv_str(struct skl_buf *b, enum skl_tag tag, struct skl_str value);
void skl_tlv_strz(struct skl_buf *b, enum skl_tag tag, const char *value); /* NULL writes nothing */
void skl_tlv_u64(struct skl_buf *b, enum skl_tag tag, uint64_t value);

/* -- records: reading. `rest` is advanced. 1 = a record, 0 = end, negative = malformed. */
struct skl_tlv {
    uint16_t tag;
    struct skl_str value;
};
int skl_tlv_next(struct skl_str *rest, struct skl_tlv *ret, struct skl_error *err);
uint64_t skl_tlv_num(const struct skl_tlv *r); /* 0 if it is not 8 bytes */
bool skl_tlv_is_valid(struct skl_str payload); /* whole payload is well formed */
/* First record of that tag; false if absent. */
bool skl_tlv_find(struct skl_str payload, enum skl_tag tag, struct skl_str *ret);
uint64_t skl_tlv_find_num(struct skl_str payload, enum skl_tag tag, uint64_t dflt);
char *skl_tlv_find_dup(struct skl_str payload, enum skl_tag tag);   /* owned, NULL if absent */
char **skl_tlv_find_strv(struct skl_str payload, enum skl_tag tag); /* owned; NULL if none */

/* Offset in front of main output payloads. */
void skl_wire_put_u64(uint8_t out[8], uint64_t v);
uint64_t skl_wire_get_u64(const uint8_t in[8]);

#endif
