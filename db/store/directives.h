/*
 * Orders to agents, as the files of this folder write them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_DIRECTIVES_H
#define BESOM_DB_STORE_DIRECTIVES_H

#include <stddef.h>

#include "db/store/store.h"

struct order {
    const char *run_id, *reason;
    int32_t attempt; /* 0 = the current one */
};
struct ordered {
    const char *agent_id;
    bool fresh; /* false: it had this order before */
};
/* One order of `kind` to each attempt that is current and live; `out` has those, by agent. */
enum status directives_add(struct store_tx *tx, const char *sweep_id, const char *kind,
                           const struct order *orders, size_t count, struct ordered **out, size_t *out_count,
                           struct err *err) MUST_USE;

#endif
