/* limits - every ceiling in one place, each with its reason. Bytes unless the name says otherwise. */
#ifndef SKL_BASE_LIMITS_H
#define SKL_BASE_LIMITS_H

#define SKL_KIB 1024u
#define SKL_MIB (1024u * 1024u)

/* dockerode repeats the whole create body in the query: request lines of 64 KiB are normal. */
#define SKL_MAX_REQUEST_LINE  (256 * SKL_KIB)
#define SKL_MAX_HEADERS       (320 * SKL_KIB) /* the line and all header fields */
#define SKL_MAX_HEADER_COUNT  128
#define SKL_MAX_JSON_BODY     (4 * SKL_MIB) /* a create body with hundreds of variables is 100 KiB */
#define SKL_MAX_JSON_DEPTH    200
#define SKL_MAX_CLOUD_BODY    (32 * SKL_MIB) /* a page of log rows */
#define SKL_MAX_REGISTRY_BODY (8 * SKL_MIB)  /* image configs are tens of KiB */
#define SKL_MAX_ANSWER_JSON   (64 * SKL_MIB) /* a list of 10,000 containers is about 10 MiB */

/* A stream's output queue: above high stop the source, below low go on. */
#define SKL_STREAM_HIGH_WATER (512 * SKL_KIB)
#define SKL_STREAM_LOW_WATER  (128 * SKL_KIB)
#define SKL_READ_CHUNK        (64 * SKL_KIB)

#define SKL_WS_MAX_MESSAGE    (256 * SKL_KIB) /* agent frames are at most 64 KiB + head */
#define SKL_FRAME_MAX_PAYLOAD (64 * SKL_KIB)
#define SKL_LINK_WINDOW       (256 * SKL_KIB) /* credit per agent stream, each way */
#define SKL_AGENT_MAX_STREAMS 1024
#define SKL_MAX_CONNECTIONS   65536 /* per listener, and of a server */
#define SKL_MAX_REQUESTS      65536 /* of a server at a time: a wait or a followed log is one */
#define SKL_MAX_BODIES        (256 * SKL_MIB) /* JSON bodies that are coming in, over all requests */
#define SKL_MAX_WORKERS       256
#define SKL_MAX_STAGED        (512 * SKL_MIB)    /* archives copied into one created container */
#define SKL_MAX_VOLUME        (INT64_C(4) << 30) /* content that is carried from one run to the next */

/* Slow clients. */
#define SKL_HEADER_TIMEOUT_MS 30000  /* for all of a header */
#define SKL_IDLE_TIMEOUT_MS   300000 /* keep-alive without a request */
#define SKL_BODY_STALL_MS                                                                          \
    300000 /* for all of a JSON body; for the next SKL_BODY_PROGRESS of another */
#define SKL_BODY_PROGRESS (4 * SKL_KIB)
#define SKL_KEEPALIVE_S   60 /* a peer on TCP that says nothing is probed */

#define SKL_EVENT_HISTORY 256 /* as a Docker Engine keeps */

#endif
