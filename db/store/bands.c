// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/query.h"
#include "db/store/stops.h"

enum status store_list_bands(struct store_tx *tx, const char *sweep_id, bool maximize, int64_t min_runs,
                             int64_t grace, struct store_band **out, size_t *count, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(I32, struct store_band, band_index),       FIELD(I64, struct store_band, band),
        FIELD(I64, struct store_band, reached),          FIELD(I64, struct store_band, went_on),
        FIELD(I64, struct store_band, stopped),          FIELD(I64, struct store_band, outrun),
        FIELD(I64, struct store_band, spared_too_few),   FIELD(I64, struct store_band, spared_grace),
        FIELD(I64, struct store_band, spared_max_stops), FIELD(I64, struct store_band, thresholds),
        FIELD(F64, struct store_band, first_threshold),  FIELD(F64, struct store_band, median_threshold),
        FIELD(F64, struct store_band, last_threshold),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_bool(&params, maximize);
    params_i64(&params, min_runs);
    params_i64(&params, grace);
    return query_rows(tx, QUERY_LIST_BANDS, &params, SHAPE(struct store_band, FIELDS), out, count, err);
}

enum status store_list_thresholds(struct store_tx *tx, const char *sweep_id, int64_t most,
                                  struct store_threshold **out, size_t *count, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(I32, struct store_threshold, band_index),
        FIELD(I64, struct store_threshold, reached),
        FIELD(F64, struct store_threshold, threshold),
        FIELD(TIME, struct store_threshold, decided_us),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, most);
    return query_rows(tx, QUERY_LIST_THRESHOLDS, &params, SHAPE(struct store_threshold, FIELDS), out, count,
                      err);
}

enum status store_get_savings(struct store_tx *tx, const char *sweep_id, struct store_savings *out,
                              struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(I64, struct store_savings, finished_runs),
        FIELD(I64, struct store_savings, finished_rows),
        FIELD(I64, struct store_savings, finished_run_time_ms),
        FIELD(I64, struct store_savings, stopped_runs),
        FIELD(I64, struct store_savings, stopped_rows),
        FIELD(I64, struct store_savings, stopped_run_time_ms),
        FIELD(I64, struct store_savings, rows_saved),
        FIELD(I64, struct store_savings, run_time_saved_ms),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    return query_row(tx, QUERY_GET_SAVINGS, &params, SHAPE(struct store_savings, FIELDS), out,
                     "no such sweep", err);
}

enum status store_list_cohorts(struct store_tx *tx, const char *sweep_id, int64_t most,
                               struct store_cohort_rung **out, size_t *count, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(I64, struct store_cohort_rung, cohort),      FIELD(I32, struct store_cohort_rung, bracket),
        FIELD(I64, struct store_cohort_rung, band),        FIELD(I64, struct store_cohort_rung, planned),
        FIELD(I64, struct store_cohort_rung, reached),     FIELD(I64, struct store_cohort_rung, ended),
        FIELD(I64, struct store_cohort_rung, paused),      FIELD(I64, struct store_cohort_rung, promoted),
        FIELD(I64, struct store_cohort_rung, stopped),     FIELD(F64, struct store_cohort_rung, threshold),
        FIELD(TIME, struct store_cohort_rung, decided_us),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, most);
    return query_rows(tx, QUERY_LIST_COHORTS, &params, SHAPE(struct store_cohort_rung, FIELDS), out, count,
                      err);
}
