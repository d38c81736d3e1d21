// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/backlog.h"

#include "db/store/query.h"

enum status store_get_backlog(struct store_tx *tx, int64_t most, struct store_backlog *out, struct err *err)
{
    static const struct field FIELDS[] = {FIELD(I64, struct store_backlog, inbox_rows),
                                          FIELD(I64, struct store_backlog, inbox_points),
                                          FIELD(I64, struct store_backlog, queued_runs)};
    struct params params = params_begin(tx);
    params_i64(&params, most);
    return query_row(tx, QUERY_GET_BACKLOG, &params, SHAPE(struct store_backlog, FIELDS), out, "no backlog",
                     err);
}
