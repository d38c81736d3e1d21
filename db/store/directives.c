// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/directives.h"

#include "db/store/query.h"
#include "db/store/runs.h"

static const struct field ORDER_FIELDS[] = {
    FIELD(TEXT, struct order, run_id),
    FIELD(I32, struct order, attempt),
    FIELD(TEXT, struct order, reason),
};
static const struct field ORDERED_FIELDS[] = {
    FIELD(TEXT, struct ordered, agent_id),
    FIELD(BOOL, struct ordered, fresh),
};

enum status directives_add(struct store_tx *tx, const char *sweep_id, const char *kind,
                           const struct order *orders, size_t count, struct ordered **out, size_t *out_count,
                           struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, kind);
    params_columns(&params, SHAPE(struct order, ORDER_FIELDS), orders, count);
    return query_rows(tx, QUERY_ADD_DIRECTIVES, &params, SHAPE(struct ordered, ORDERED_FIELDS), out,
                      out_count, err);
}

enum status store_add_directive(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                const char *kind, const char *reason, bool *created, struct err *err)
{
    struct order order = {.run_id = run_id, .reason = reason == NULL ? "" : reason};
    struct ordered *ordered;
    size_t count;
    TRY(directives_add(tx, sweep_id, kind, &order, 1, &ordered, &count, err));
    *created = count == 1 && ordered[0].fresh;
    return STATUS_OK;
}

enum status store_add_directives_for_sweep(struct store_tx *tx, const char *sweep_id, const char *kind,
                                           const char *reason, int64_t *created, struct err *err)
{
    static const struct field LIVE_FIELDS[] = {FIELD(TEXT, struct order, run_id),
                                               FIELD(I32, struct order, attempt)};
    struct params params = params_begin(tx);
    struct order *orders;
    struct ordered *ordered;
    size_t count, ordered_count;
    *created = 0;
    params_text(&params, sweep_id);
    TRY(query_rows(tx, QUERY_LIST_LIVE_RUNS, &params, SHAPE(struct order, LIVE_FIELDS), &orders, &count,
                   err));
    for (size_t i = 0; i < count; i++)
        orders[i].reason = reason == NULL ? "" : reason;
    TRY(directives_add(tx, sweep_id, kind, orders, count, &ordered, &ordered_count, err));
    for (size_t i = 0; i < ordered_count; i++)
        *created += ordered[i].fresh;
    return STATUS_OK;
}

static const struct field KEY_FIELDS[] = {
    FIELD(TEXT, struct store_lease_key, sweep_id),
    FIELD(TEXT, struct store_lease_key, run_id),
    FIELD(I32, struct store_lease_key, attempt),
};
static const struct field DIRECTIVE_FIELDS[] = {
    FIELD(TEXT, struct store_directive, sweep_id), FIELD(TEXT, struct store_directive, agent_id),
    FIELD(TEXT, struct store_directive, run_id),   FIELD(TEXT, struct store_directive, kind),
    FIELD(TEXT, struct store_directive, reason),   FIELD(I64, struct store_directive, generation),
    FIELD(I32, struct store_directive, attempt),
};

enum status store_list_directives(struct store_tx *tx, const struct store_lease_key *keys, size_t count,
                                  struct store_directive **out, size_t *out_count, struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_lease_key, KEY_FIELDS), keys, count);
    return query_rows(tx, QUERY_LIST_DIRECTIVES, &params, SHAPE(struct store_directive, DIRECTIVE_FIELDS),
                      out, out_count, err);
}

enum status store_answer_directive(struct store_tx *tx, const char *sweep_id, const char *agent_id,
                                   int64_t generation, bool supported, struct err *err)
{
    struct params params = params_begin(tx);
    int64_t changed;
    params_text(&params, sweep_id);
    params_text(&params, agent_id);
    params_i64(&params, generation);
    params_bool(&params, supported);
    TRY(query_change(tx, QUERY_ANSWER_DIRECTIVE, &params, &changed, err));
    return changed == 1 ? STATUS_OK
                        : err_set(err, STATUS_NOT_FOUND, "agent %s has no directive %lld", agent_id,
                                  (long long)generation);
}

enum status store_list_held(struct store_tx *tx, const struct store_lease_key *keys, size_t count,
                            struct store_lease_key **out, size_t *out_count, struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_lease_key, KEY_FIELDS), keys, count);
    return query_rows(tx, QUERY_LIST_HELD, &params, SHAPE(struct store_lease_key, KEY_FIELDS), out, out_count,
                      err);
}
