// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/replication.h"

#include "db/store/query.h"

enum status store_get_replication(struct store_tx *tx, struct store_replication *out, struct err *err)
{
    static const struct field FIELDS[] = {FIELD(I64, struct store_replication, synchronous),
                                          FIELD(I64, struct store_replication, asynchronous),
                                          FIELD(I64, struct store_replication, unknown),
                                          FIELD(TEXT, struct store_replication, synchronous_commit)};
    struct params params = params_begin(tx);
    return query_row(tx, QUERY_GET_REPLICATION, &params, SHAPE(struct store_replication, FIELDS), out,
                     "no replication", err);
}
