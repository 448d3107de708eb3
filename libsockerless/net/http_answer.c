/* http_answer - what an exchange writes.
 *
 * Approach  head and small body leave in one write; the head is built in the server's scratch buffer. The
 *           date is formatted once per second.
 */
#include <sys/time.h>

#include "base/clock.h"
#include "net/http_internal.h"

#define ONE_WRITE (16 * SKL_KIB)

static const struct {
    int status;
    const char *text;
} texts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *skl_http_status_text(int status)
{
    for (size_t i = 0; i < SKL_ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

static const char *date_now(struct skl_http_server *s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;
    time_t now = (time_t)(skl_wall_ns() / SKL_NS_PER_S);
    if (now != s->date_s || !s->date[0]) {
        s->date_s = now;
        gmtime_r(&now, &tm);
        snprintf(s->date, sizeof(s->date), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                 days + 3 * tm.tm_wday, tm.tm_mday % 100, months + 3 * tm.tm_mon,
                 (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
    }
    return s->date;
}

static void add_number(struct skl_buf *b, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);
    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    skl_buf_add(b, digits + n, sizeof(digits) - n);
}

/* The head up to and without the fields of its framing. */
static struct skl_buf *start_head(struct http_conn *c, int status, const char *content_type,
                                  const char *headers)
{
    struct skl_http_server *s = c->server;
    struct skl_buf *b = &s->scratch;
    skl_buf_reset(b);
    skl_buf_addstr(b, SKL_STR("HTTP/1.1 "));
    add_number(b, (uint64_t)status);
    skl_buf_addc(b, ' ');
    skl_buf_adds(b, skl_http_status_text(status));
    skl_buf_addstr(b, SKL_STR("\r\n"));
    if (s->extra_headers)
        skl_buf_adds(b, s->extra_headers);
    skl_buf_addstr(b, SKL_STR("Date: "));
    skl_buf_adds(b, date_now(s));
    skl_buf_addstr(b, SKL_STR("\r\n"));
    if (content_type) {
        skl_buf_addstr(b, SKL_STR("Content-Type: "));
        skl_buf_adds(b, content_type);
        skl_buf_addstr(b, SKL_STR("\r\n"));
    }
    if (headers)
        skl_buf_adds(b, headers);
    return b;
}

static bool bodyless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/* Closes the connection rather than read a body that nobody wanted and that is long, or that the
 * client may or may not send (100-continue). */
static void decide_keep_alive(struct skl_http *x)
{
    struct http_conn *c = x->c;
    if (!x->keep_alive || c->server->closing || c->eof)
        x->close_after = true;
    if (c->state == CONN_BODY &&
        ((x->expect && !x->continue_sent) || c->body_left > HTTP_MAX_DRAIN))
        x->close_after = true;
}

void skl_http_close_after(struct skl_http *x)
{
    x->close_after = true;
}

static void end_head(struct skl_http *x, struct skl_buf *b)
{
    if (x->close_after)
        skl_buf_addstr(b, SKL_STR("Connection: close\r\n"));
    else if (x->http10)
        skl_buf_addstr(b, SKL_STR("Connection: keep-alive\r\n"));
    skl_buf_addstr(b, SKL_STR("\r\n"));
}

static void send_with_body(struct http_conn *c, struct skl_buf *head, struct skl_str body)
{
    if (body.n <= ONE_WRITE) {
        skl_buf_addstr(head, body);
        skl_stream_write(c->stream, head->p, head->n);
    } else {
        const struct skl_str parts[] = {skl_buf_str(head), body};
        skl_stream_writev(c->stream, parts, 2);
    }
    if (head->cap > 64 * SKL_KIB) { /* a caller's huge headers are not kept for ever */
        skl_buf_fini(head);
        skl_buf_init(head, SIZE_MAX / 2);
    }
}

void skl_http_answer(struct skl_http *x, int status, const char *content_type, const char *headers,
                     struct skl_str body)
{
    struct http_conn *c = x->c;
    SKL_ASSERT(!x->begun && !x->answered && !x->taken);
    x->answered = true;
    if (!c->why && !x->aborted) {
        decide_keep_alive(x);
        struct skl_buf *b = start_head(c, status, content_type, headers);
        if (!bodyless(status)) {
            skl_buf_addstr(b, SKL_STR("Content-Length: "));
            add_number(b, body.n);
            skl_buf_addstr(b, SKL_STR("\r\n"));
        }
        end_head(x, b);
        if (x->head || bodyless(status))
            body.n = 0;
        send_with_body(c, b, body);
    }
    conn_schedule(c);
}

void skl_http_begin(struct skl_http *x, int status, const char *content_type, const char *headers)
{
    struct http_conn *c = x->c;
    SKL_ASSERT(!x->begun && !x->answered && !x->taken);
    x->begun = true;
    if (c->why || x->aborted)
        return;
    decide_keep_alive(x);
    struct skl_buf *b = start_head(c, status, content_type, headers);
    if (!x->http10 && !bodyless(status)) {
        x->chunked_answer = true;
        skl_buf_addstr(b, SKL_STR("Transfer-Encoding: chunked\r\n"));
    } else if (!bodyless(status)) {
        x->close_after = true; /* its end is the end of the connection */
    }
    if (bodyless(status))
        x->head = true; /* as for HEAD: what is written is dropped */
    end_head(x, b);
    skl_stream_write(c->stream, b->p, b->n);
}

void skl_http_write(struct skl_http *x, const void *p, size_t n)
{
    struct http_conn *c = x->c;
    SKL_ASSERT(x->begun && !x->answered);
    if (n == 0 || x->head || c->why || x->aborted)
        return;
    if (!x->chunked_answer) {
        skl_stream_write(c->stream, p, n);
        return;
    }
    char size[20];
    int k = snprintf(size, sizeof(size), "%zx\r\n", n);
    const struct skl_str parts[] = {{size, (size_t)k}, {p, n}, SKL_STR("\r\n")};
    skl_stream_writev(c->stream, parts, 3);
}

void skl_http_end(struct skl_http *x)
{
    struct http_conn *c = x->c;
    SKL_ASSERT(x->begun && !x->answered);
    x->answered = true;
    if (x->chunked_answer && !x->head && !c->why && !x->aborted)
        skl_stream_write(c->stream, "0\r\n\r\n", 5);
    conn_schedule(c);
}

bool skl_http_congested(const struct skl_http *x)
{
    return skl_stream_congested(x->c->stream);
}

void http_send_continue(struct skl_http *x)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    x->continue_sent = true;
    skl_stream_write(x->c->stream, text, sizeof(text) - 1);
}

/* An answer of the server's own to a request that has no exchange; the connection ends with it. */
void http_answer_error(struct http_conn *c, int status, const char *message)
{
    struct skl_http_server *s = c->server;
    struct skl_buf body;
    skl_buf_init(&body, 16 * SKL_KIB);
    const char *type = "application/json";
    if (s->config.error_body) {
        s->config.error_body(&body, status, message);
    } else {
        type = "text/plain; charset=utf-8";
        skl_buf_addf(&body, "%s\n", message);
    }
    struct skl_buf *b = start_head(c, status, type, NULL);
    skl_buf_addf(b, "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.n);
    send_with_body(c, b, skl_buf_str(&body));
    skl_buf_fini(&body);
}

void http_answer_problem(struct skl_http *x, int status, const char *headers, const char *message)
{
    struct skl_buf body;
    bool json = x->c->server->config.error_body;
    skl_buf_init(&body, 16 * SKL_KIB);
    if (json)
        x->c->server->config.error_body(&body, status, message);
    else
        skl_buf_addf(&body, "%s\n", message);
    skl_http_answer(x, status, json ? "application/json" : "text/plain; charset=utf-8", headers,
                    skl_buf_str(&body));
    skl_buf_fini(&body);
}
