// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/query.h"
#include "db/store/sweeps.h"

enum status store_add_event(struct store_tx *tx, const char *sweep_id, const char *kind, const char *actor,
                            const char *subject, const char *detail, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, kind);
    params_text(&params, actor);
    params_text(&params, subject == NULL ? "" : subject);
    params_text(&params, detail == NULL ? "" : detail);
    return query_change(tx, QUERY_ADD_EVENT, &params, NULL, err);
}
