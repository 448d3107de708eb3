/* json - writing JSON text straight into a buffer. Reading is base/json_read.h (cJSON).
 *
 * Compact output; commas are put in by the writer; HTML characters are not escaped unless asked.
 * Invalid UTF-8 is written as U+FFFD, so the text always decodes.
 */
#ifndef SKL_BASE_JSON_H
#define SKL_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct skl_json {
    struct skl_buf *b;
    bool need_comma;
    bool escape_html; /* <, > and & as \u003c ...: Docker's progress streams */
};

void skl_json_init(struct skl_json *j, struct skl_buf *b);

/* Every value call takes the member's name, or NULL inside an array or at the top. */
void skl_json_object(struct skl_json *j, const char *key);
void skl_json_end_object(struct skl_json *j);
void skl_json_array(struct skl_json *j, const char *key);
void skl_json_end_array(struct skl_json *j);
void skl_json_str(struct skl_json *j, const char *key, const char *value); /* NULL writes "" */
void skl_json_strn(struct skl_json *j, const char *key, struct skl_str value);
void skl_json_strf(struct skl_json *j, const char *key, const char *fmt, ...) SKL_PRINTF(3, 4);
void skl_json_int(struct skl_json *j, const char *key, int64_t value);
void skl_json_num(struct skl_json *j, const char *key, double value);
void skl_json_bool(struct skl_json *j, const char *key, bool value);
void skl_json_null(struct skl_json *j, const char *key);
void skl_json_time(struct skl_json *j, const char *key, int64_t wall_ns);
/* JSON text made elsewhere, taken as it is; empty or NULL writes null. */
void skl_json_raw(struct skl_json *j, const char *key, const char *json);
/* NULL-terminated vector: an array; NULL writes null. */
void skl_json_strv(struct skl_json *j, const char *key, char *const *v);

void skl_json_quote(struct skl_buf *b, struct skl_str s, bool escape_html);

#endif
