// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/query.h"
#include "db/store/sweeps.h"

static const struct field SWEEP_FIELDS[] = {
    FIELD(TEXT, struct store_sweep, sweep_id),
    FIELD(TEXT, struct store_sweep, project),
    FIELD(TEXT, struct store_sweep, name),
    FIELD(TEXT, struct store_sweep, state),
    FIELD(TEXT, struct store_sweep, state_reason),
    FIELD(TEXT, struct store_sweep, method),
    FIELD(TEXT, struct store_sweep, metric),
    FIELD(TEXT, struct store_sweep, program),
    FIELD(BOOL, struct store_sweep, maximize),
    FIELD(BOOL, struct store_sweep, exhausted),
    FIELD(I32, struct store_sweep, spec_version),
    FIELD(I64, struct store_sweep, seed),
    FIELD(I64, struct store_sweep, run_cap),
    FIELD_WITH(MAYBE_I64, struct store_sweep, grid_count, has_grid_count),
    FIELD(I64, struct store_sweep, next_ordinal),
    FIELD(TIME, struct store_sweep, created_us),
    FIELD(TIME, struct store_sweep, started_us),
    FIELD(TIME, struct store_sweep, ended_us),
};
static const struct field NEW_FIELDS[] = {
    FIELD(TEXT, struct store_sweep_new, sweep_id),
    FIELD(TEXT, struct store_sweep_new, project),
    FIELD(TEXT, struct store_sweep_new, name),
    FIELD(TEXT, struct store_sweep_new, method),
    FIELD(TEXT, struct store_sweep_new, metric),
    FIELD(TEXT, struct store_sweep_new, program),
    FIELD(TEXT, struct store_sweep_new, file_name),
    FIELD(TEXT, struct store_sweep_new, spec_json),
    FIELD(TEXT, struct store_sweep_new, request_id),
    FIELD(BOOL, struct store_sweep_new, maximize),
    FIELD(I64, struct store_sweep_new, seed),
    FIELD(I64, struct store_sweep_new, run_cap),
    FIELD_WITH(MAYBE_I64, struct store_sweep_new, grid_count, has_grid_count),
    FIELD_WITH(BYTES, struct store_sweep_new, source, source_length),
    FIELD(I64, struct store_sweep_new, concurrency),
    FIELD(BOOL, struct store_sweep_new, learns),
    FIELD(BOOL, struct store_sweep_new, pauses),
    FIELD(BOOL, struct store_sweep_new, learns_rungs),
};
static const struct field COUNT_FIELDS[] = {
    FIELD(I64, struct store_run_counts, queued),      FIELD(I64, struct store_run_counts, pending),
    FIELD(I64, struct store_run_counts, running),     FIELD(I64, struct store_run_counts, finished),
    FIELD(I64, struct store_run_counts, stopped),     FIELD(I64, struct store_run_counts, failed),
    FIELD(I64, struct store_run_counts, killed),      FIELD(I64, struct store_run_counts, crashed),
    FIELD(I64, struct store_run_counts, unreachable), FIELD(I64, struct store_run_counts, run_time_ms),
    FIELD(I64, struct store_run_counts, paused),
};

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

enum status store_create_sweep(struct store_tx *tx, const struct store_sweep_new *sweep,
                               const char **existing_id, struct err *err)
{
    struct store_sweep_new row = *sweep;
    row.metric = or_empty(row.metric);
    row.program = or_empty(row.program);
    row.file_name = or_empty(row.file_name);
    /* Without a request id the sweep's own id is one: a transaction whose COMMIT was lost finds its sweep. */
    if (row.request_id == NULL || row.request_id[0] == '\0')
        row.request_id = row.sweep_id;
    struct params params = params_begin(tx);
    params_row(&params, SHAPE(struct store_sweep_new, NEW_FIELDS), &row);
    const char **ids;
    size_t count;
    *existing_id = NULL;
    TRY(query_texts(tx, QUERY_CREATE_SWEEP, &params, &ids, &count, err));
    if (count == 0)
        return err_set(err, STATUS_ALREADY_EXISTS, "sweep %s exists already", row.sweep_id);
    if (strcmp(ids[0], row.sweep_id) != 0)
        *existing_id = ids[0];
    return STATUS_OK;
}

enum status store_find_single_runs(struct store_tx *tx, const char *project, const char **sweep_id,
                                   struct err *err)
{
    struct params params = params_begin(tx);
    const char **ids;
    size_t count;
    params_text(&params, project);
    TRY(query_texts(tx, QUERY_GET_SINGLE_RUNS, &params, &ids, &count, err));
    *sweep_id = count > 0 ? ids[0] : NULL;
    return STATUS_OK;
}

enum status store_get_sweep(struct store_tx *tx, const char *sweep_id, bool lock, struct store_sweep *out,
                            struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    return query_row(tx, lock ? QUERY_LOCK_SWEEP : QUERY_GET_SWEEP, &params,
                     SHAPE(struct store_sweep, SWEEP_FIELDS), out, "no such sweep", err);
}

enum status store_get_spec(struct store_tx *tx, const char *sweep_id, int32_t version, struct store_spec *out,
                           struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(TEXT, struct store_spec, json),
        FIELD(I64, struct store_spec, first_ordinal),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i32(&params, version);
    return query_row(tx, QUERY_GET_SPEC, &params, SHAPE(struct store_spec, FIELDS), out,
                     "no such version of the sweep's spec", err);
}

enum status store_list_sweeps(struct store_tx *tx, const char *project, const struct store_reach *reach,
                              int64_t after_us, const char *after_id, int limit, struct store_sweep **out,
                              size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_page(&params, project, after_us, after_id, limit);
    params_reach(&params, reach);
    return query_rows(tx, QUERY_LIST_SWEEPS, &params, SHAPE(struct store_sweep, SWEEP_FIELDS), out, count,
                      err);
}

enum status store_list_live_sweeps(struct store_tx *tx, struct store_sweep **out, size_t *count,
                                   struct err *err)
{
    struct params params = params_begin(tx);
    return query_rows(tx, QUERY_LIST_LIVE_SWEEPS, &params, SHAPE(struct store_sweep, SWEEP_FIELDS), out,
                      count, err);
}

enum status store_count_runs_of(struct store_tx *tx, const char *const *sweep_ids, size_t count,
                                struct store_run_counts *out, struct err *err)
{
    struct params params = params_begin(tx);
    struct store_run_counts *rows;
    size_t row_count;
    params_texts(&params, sweep_ids, count);
    TRY(query_rows(tx, QUERY_COUNT_RUNS, &params, SHAPE(struct store_run_counts, COUNT_FIELDS), &rows,
                   &row_count, err));
    memcpy(out, rows, row_count * sizeof *rows);
    return STATUS_OK;
}

enum status store_count_runs(struct store_tx *tx, const char *sweep_id, struct store_run_counts *out,
                             struct err *err)
{
    return store_count_runs_of(tx, &sweep_id, 1, out, err);
}

enum status store_set_sweep_state(struct store_tx *tx, const char *sweep_id, const char *state,
                                  const char *reason, struct err *err)
{
    struct params params = params_begin(tx);
    int64_t changed;
    params_text(&params, sweep_id);
    params_text(&params, state);
    params_text(&params, or_empty(reason));
    TRY(query_change(tx, QUERY_SET_SWEEP_STATE, &params, &changed, err));
    return changed == 1 ? STATUS_OK : err_set(err, STATUS_NOT_FOUND, "no such sweep: %s", sweep_id);
}

enum status store_delete_sweep(struct store_tx *tx, const char *sweep_id, struct err *err)
{
    struct params params = params_begin(tx);
    int64_t deleted;
    params_text(&params, sweep_id);
    TRY(query_change(tx, QUERY_DELETE_SWEEP, &params, &deleted, err));
    if (deleted == 0)
        return err_set(err, STATUS_NOT_FOUND, "no such sweep: %s", sweep_id);
    return query_change(tx, QUERY_DELETE_SWEEP_REST, &params, NULL, err);
}
