/* Reading a table of log rows: columns by name, because their order is not promised. */
#include "base/clock.h"
#include "base/json_read.h"
#include "cloud/azure/loganalytics.h"

void skl_logs_table_fini(struct skl_logs_table *t)
{
    cJSON_Delete(t->root);
    free(t->rows);
    free(t->partial);
    *t = (struct skl_logs_table){0};
}

int skl_logs_table_column(const struct skl_logs_table *t, const char *name)
{
    const cJSON *column;
    int i = 0;

    cJSON_ArrayForEach(column, t->columns)
    {
        if (skl_streq(skl_json_get_str(column, "name"), name))
            return i;
        i++;
    }
    return -1;
}

static const cJSON *cell(const struct skl_logs_table *t, size_t row, int column)
{
    return column < 0 || row >= t->n_rows ? NULL : cJSON_GetArrayItem(t->rows[row], column);
}

const char *skl_logs_table_str(const struct skl_logs_table *t, size_t row, int column)
{
    return cJSON_GetStringValue(cell(t, row, column));
}

bool skl_logs_table_int(const struct skl_logs_table *t, size_t row, int column, int64_t *ret)
{
    const cJSON *c = cell(t, row, column);

    if (!c)
        return false;
    if (cJSON_IsNumber(c) && c->valuedouble > -9e15 && c->valuedouble < 9e15) {
        *ret = (int64_t)c->valuedouble;
        return true;
    }
    return cJSON_IsString(c) && skl_str_i64(skl_str(c->valuestring), ret);
}

bool skl_logs_table_time(const struct skl_logs_table *t, size_t row, int column, int64_t *ret_ns)
{
    const char *s = skl_logs_table_str(t, row, column);

    return s && skl_time_parse(skl_str(s), ret_ns);
}
