/* http_request - the head of a request, and chunked bodies, by llhttp.
 *
 * Problem   two parties that disagree about where a request ends let one client speak with another's
 *           voice (request smuggling). A daemon behind a proxy is the second party.
 * Approach  llhttp parses; in front of it, each byte of the head passes a check that is stricter than any
 *           version of the parser: CR only before LF, LF only after CR, no NUL, no folded line. The check
 *           also finds the end of the head, and both must agree on it. Content-Length bodies are
 *           counted by the connection, not by the parser.
 * Limits    on bytes, line and number of fields (431); on what is between the bytes of a chunked body.
 */
#include "base/alloc.h"
#include "net/http_internal.h"

#define KEEP_TEXT (4 * SKL_KIB) /* a recycled exchange keeps a buffer of this size, not more */

/* -- llhttp's callbacks; a data callback may come several times for one element */

static int fail(struct http_conn *c, int status, const char *why)
{
    if (!c->fail_status) {
        c->fail_status = status;
        c->fail_why = why;
    }
    return HPE_USER;
}

static struct http_header *current(struct skl_http *x)
{
    if (x->n_headers == x->cap_headers) {
        x->cap_headers = x->cap_headers ? x->cap_headers * 2 : 16;
        x->headers = skl_realloc(x->headers, x->cap_headers, sizeof(*x->headers));
    }
    return &x->headers[x->n_headers];
}

static void extend(struct skl_http *x, struct span *s, const char *p, size_t n)
{
    if (s->n == 0)
        s->off = (uint32_t)x->text.n;
    skl_buf_add(&x->text, p, n);
    s->n += (uint32_t)n;
}

static int on_url(llhttp_t *parser, const char *p, size_t n)
{
    struct http_conn *c = parser->data;
    extend(c->parsing, &c->parsing->url, p, n);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *p, size_t n)
{
    struct http_conn *c = parser->data;
    if (!c->parsing)
        return 0; /* a trailer: dropped */
    struct http_header *h = current(c->parsing);
    extend(c->parsing, &h->name, p, n);
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *p, size_t n)
{
    struct http_conn *c = parser->data;
    if (!c->parsing)
        return 0;
    extend(c->parsing, &current(c->parsing)->value, p, n);
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http_conn *c = parser->data;
    struct skl_http *x = c->parsing;
    if (!x)
        return 0;
    if (current(x)->name.n == 0)
        return fail(c, 400, "header field without a name");
    if (++x->n_headers > SKL_MAX_HEADER_COUNT)
        return fail(c, 431, "too many header fields");
    *current(x) = (struct http_header){0};
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_conn *c = parser->data;
    c->complete = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *p, size_t n)
{
    struct http_conn *c = parser->data;
    c->piece = p;
    c->piece_n = n;
    c->overhead = 0;
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_conn *c = parser->data;
    c->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t s;
    static bool ready;
    if (!ready) {
        llhttp_settings_init(&s);
        s.on_url = on_url;
        s.on_header_field = on_header_field;
        s.on_header_value = on_header_value;
        s.on_header_value_complete = on_header_value_complete;
        s.on_headers_complete = on_headers_complete;
        s.on_body = on_body;
        s.on_message_complete = on_message_complete;
        ready = true;
    }
    return &s;
}

/* -- exchanges */

struct skl_http *http_new(struct http_conn *c)
{
    struct skl_http_server *s = c->server;
    struct skl_http *x = s->spare;
    if (x) {
        struct skl_buf text = x->text;
        struct http_header *headers = x->headers;
        unsigned cap = x->cap_headers;
        s->spare = NULL;
        memset(x, 0, sizeof(*x));
        x->text = text;
        x->headers = headers;
        x->cap_headers = cap;
        skl_buf_reset(&x->text);
    } else {
        x = skl_new0(struct skl_http);
        skl_buf_init(&x->text, SKL_MAX_HEADERS);
    }
    x->c = c;
    skl_buf_init(&x->body, 0);
    *current(x) = (struct http_header){0};
    return x;
}

void http_free(struct skl_http_server *s, struct skl_http *x)
{
    if (!x)
        return;
    s->held -= x->held;
    skl_buf_fini(&x->body);
    if (!s->spare && x->text.cap <= KEEP_TEXT && x->cap_headers <= 64 && !s->closing) {
        s->spare = x;
        return;
    }
    skl_buf_fini(&x->text);
    free(x->headers);
    free(x);
}

void http_request_reset(struct http_conn *c)
{
    llhttp_init(&c->parser, HTTP_REQUEST, settings());
    c->parser.data = c;
    c->state = CONN_HEAD;
    c->head_bytes = c->line_bytes = c->spaces = c->overhead = 0;
    c->last = 0;
    c->have_line = c->complete = false;
    c->body_left = 0;
}

/* -- the head */

/* Looks at the bytes of the head; *end is set behind the empty line that ends it, else to n. */
static int check_lines(struct http_conn *c, const char *p, size_t n, size_t *end)
{
    *end = n;
    for (size_t i = 0; i < n; i++) {
        char ch = p[i];
        if (c->last == '\r' && ch != '\n')
            return fail(c, 400, "CR without LF in the header");
        if (ch == '\n') {
            if (c->last != '\r')
                return fail(c, 400, "LF without CR in the header");
            if (c->line_bytes == 0 && c->have_line) {
                *end = i + 1;
                return 1;
            }
            if (!c->have_line && c->line_bytes && c->spaces != 2)
                return fail(c, 400, "malformed request line");
            c->have_line = c->have_line || c->line_bytes;
            c->line_bytes = 0;
        } else if (ch != '\r') {
            if (ch == '\0')
                return fail(c, 400, "NUL in the header");
            if (c->line_bytes == 0 && (ch == ' ' || ch == '\t'))
                return fail(c, 400, "folded or indented header line");
            if (!c->have_line && c->line_bytes >= SKL_MAX_REQUEST_LINE)
                return fail(c, 431, "request line too long");
            c->line_bytes++;
            c->spaces += ch == ' ' && !c->have_line;
        }
        c->last = ch;
    }
    return 0;
}

static unsigned count_header(const struct skl_http *x, const char *name)
{
    unsigned n = 0;
    for (unsigned i = 0; i < x->n_headers; i++)
        n +=
            skl_str_ieqz(skl_str_n(x->text.p + x->headers[i].name.off, x->headers[i].name.n), name);
    return n;
}

static int check_framing(struct http_conn *c, struct skl_http *x)
{
    unsigned lengths = count_header(x, "content-length");
    unsigned encodings = count_header(x, "transfer-encoding");
    if (encodings && (lengths || encodings > 1 || x->http10 ||
                      !skl_str_ieqz(skl_http_header(x, "transfer-encoding"), "chunked")))
        return fail(c, 400, "unsupported or ambiguous Transfer-Encoding");
    if (lengths > 1)
        return fail(c, 400, "more than one Content-Length");
    if (encodings) {
        x->chunked = true;
        x->content_length = -1;
    } else if (lengths) {
        uint64_t v;
        if (!skl_str_u64(skl_http_header(x, "content-length"), &v) || v > INT64_MAX)
            return fail(c, 400, "bad Content-Length");
        x->content_length = (int64_t)v;
    }
    return 0;
}

static int finish_head(struct http_conn *c)
{
    struct skl_http *x = c->parsing;
    if (c->parser.http_major != 1)
        return fail(c, 400, "unsupported HTTP version");
    x->method = c->parser.method;
    x->http10 = c->parser.http_minor == 0;
    x->head = x->method == HTTP_HEAD;
    x->upgrade = count_header(x, "upgrade") > 0;
    x->keep_alive = llhttp_should_keep_alive(&c->parser);
    if (x->method == HTTP_CONNECT)
        return fail(c, 405, "CONNECT is not served here");
    if (check_framing(c, x) != 0)
        return -1;
    unsigned hosts = count_header(x, "host");
    if (hosts > 1 || (hosts == 0 && !x->http10))
        return fail(c, 400, "exactly one Host header is required");
    if (count_header(x, "expect")) {
        if (!skl_str_ieqz(skl_http_header(x, "expect"), "100-continue"))
            return fail(c, 417, "unknown Expect");
        x->expect = !x->http10;
    }
    const char *q = memchr(x->text.p + x->url.off, '?', x->url.n);
    x->path_n = q ? (uint32_t)(q - (x->text.p + x->url.off)) : x->url.n;
    return 0;
}

int http_parse_head(struct http_conn *c, const char *p, size_t n, size_t *used)
{
    size_t end;
    *used = n;
    int found = check_lines(c, p, n, &end);
    if (found != 0 && found != 1)
        return -1;
    *used = end;
    c->head_bytes += (uint32_t)end;
    if (c->head_bytes > SKL_MAX_HEADERS) {
        fail(c, 431, "request header too large");
        return -1;
    }
    enum llhttp_errno rc = llhttp_execute(&c->parser, p, end);
    if (c->fail_status)
        return -1;
    bool ended = rc == HPE_PAUSED && c->complete;
    if ((rc != HPE_OK && !ended) || ended != (found == 1) ||
        (ended && llhttp_get_error_pos(&c->parser) != p + end) || c->parsing->text.failed) {
        const char *reason = llhttp_get_error_reason(&c->parser);
        fail(c, 400, reason && *reason ? reason : "malformed request");
        return -1;
    }
    if (!ended)
        return 0;
    c->complete = false;
    return finish_head(c) == 0 ? 1 : -1;
}

/* -- a chunked body */

int http_parse_chunk(struct http_conn *c, const char *p, size_t n, size_t *used)
{
    c->piece = NULL;
    c->piece_n = 0;
    if (llhttp_get_errno(&c->parser) == HPE_PAUSED)
        llhttp_resume(&c->parser);
    enum llhttp_errno rc = llhttp_execute(&c->parser, p, n);
    *used = n;
    if (rc == HPE_PAUSED || rc == HPE_PAUSED_UPGRADE)
        *used = (size_t)(llhttp_get_error_pos(&c->parser) - p);
    else if (rc != HPE_OK)
        return fail(c, 400, "malformed chunked body");
    if (!c->complete) {
        c->overhead += (uint32_t)(*used - c->piece_n);
        if (c->overhead > HTTP_MAX_OVERHEAD)
            return fail(c, 431, "chunk extension or trailer too large");
    }
    return 0;
}
