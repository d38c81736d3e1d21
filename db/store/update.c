// SPDX-License-Identifier: GPL-3.0-or-later
/* A new version of a sweep's spec, and the runs that a sweep begins with. */
#include "db/store/query.h"
#include "db/store/sweeps.h"

static const struct field UPDATE_FIELDS[] = {
    FIELD(TEXT, struct store_sweep_update, sweep_id),
    FIELD(TEXT, struct store_sweep_update, name),
    FIELD(TEXT, struct store_sweep_update, program),
    FIELD(TEXT, struct store_sweep_update, file_name),
    FIELD(TEXT, struct store_sweep_update, spec_json),
    FIELD(I64, struct store_sweep_update, run_cap),
    FIELD_WITH(MAYBE_I64, struct store_sweep_update, grid_count, has_grid_count),
    FIELD(I64, struct store_sweep_update, concurrency),
    FIELD_WITH(BYTES, struct store_sweep_update, source, source_length),
};

enum status store_update_sweep(struct store_tx *tx, const struct store_sweep_update *update, int64_t *dropped,
                               struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params key = params_begin(tx);
    params_text(&key, update->sweep_id);
    TRY(query_run(tx, QUERY_DROP_UNUSED_RUNS, &key, &result, err));
    *dropped = result_count(&result) == 1 ? result_i64(&result, 0, 0) : 0;
    struct params params = params_begin(tx);
    params_row(&params, SHAPE(struct store_sweep_update, UPDATE_FIELDS), update);
    CLEANUP(result_clear) struct result changed = {NULL};
    TRY(query_run(tx, QUERY_UPDATE_SWEEP, &params, &changed, err));
    return result_count(&changed) == 1
               ? STATUS_OK
               : err_set(err, STATUS_NOT_FOUND, "no such sweep: %s", update->sweep_id);
}

enum status store_list_used_params(struct store_tx *tx, const char *sweep_id, int64_t limit,
                                   const char ***params_json, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, limit);
    return query_texts(tx, QUERY_LIST_USED_PARAMS, &params, params_json, count, err);
}

static enum status name_missing(struct store_tx *tx, const struct result *found, const char *const *run_ids,
                                size_t count, struct err *err)
{
    bool *seen = arena_calloc(tx->arena, count, sizeof *seen);
    if (seen == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (int row = 0; row < result_count(found); row++)
        seen[result_i32(found, row, 0)] = true;
    for (size_t i = 0; i < count; i++)
        if (!seen[i])
            return err_set(err, STATUS_NOT_FOUND, "prior run %s: there is no such run that has ended",
                           run_ids[i]);
    return STATUS_OK;
}

enum status store_add_prior_runs(struct store_tx *tx, const char *sweep_id, const char *project,
                                 const char *const *run_ids, size_t count, struct err *err)
{
    CLEANUP(result_clear) struct result found = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, project);
    params_texts(&params, run_ids, count);
    TRY(query_run(tx, QUERY_ADD_PRIOR_RUNS, &params, &found, err));
    return name_missing(tx, &found, run_ids, count, err);
}
