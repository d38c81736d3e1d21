// SPDX-License-Identifier: GPL-3.0-or-later
#include "savings.h"

#include <inttypes.h>

#include "format.h"
#include "resolve.h"

Besom__V1__ListBandsResponse *savings_read(besom_client *client, const Besom__V1__Sweep *sweep)
{
    Besom__V1__ListBandsRequest request = BESOM__V1__LIST_BANDS_REQUEST__INIT;
    Besom__V1__ListBandsResponse *response = NULL;
    besom_error error = {.code = BESOM_OK};
    if (sweep == NULL || sweep->n_bands == 0 || sweep->counts == NULL || sweep->counts->stopped == 0)
        return NULL;
    request.sweep_id = message_text(sweep->sweep_id);
    request.savings_only = true;
    return besom_band_list(client, &request, &response, &error) == BESOM_OK ? response : NULL;
}

static bool is_estimated(const Besom__V1__Savings *savings)
{
    return savings->finished_rows > 0;
}

void savings_format(const Besom__V1__Savings *savings, int64_t run_time_ms, struct buffer *out)
{
    char text[FORMAT_SIZE];
    buffer_printf(out, "%s of run time spent (%.2f run-hours)", format_duration(run_time_ms, text),
                  (double)run_time_ms / 3600e3);
    if (savings == NULL || savings->stopped_runs == 0)
        return;
    const char *runs = savings->stopped_runs == 1 ? "run" : "runs";
    if (!is_estimated(savings)) {
        buffer_printf(out,
                      ", %" PRId64 " %s stopped early (what that saved can be estimated once a run finishes)",
                      savings->stopped_runs, runs);
        return;
    }
    buffer_printf(out, ", about %s (%.2f run-hours) saved by stopping %" PRId64 " %s",
                  format_duration(savings->run_time_saved_ms, text),
                  (double)savings->run_time_saved_ms / 3600e3, savings->stopped_runs, runs);
    int64_t row_ms = savings->finished_run_time_ms / savings->finished_rows;
    buffer_printf(
        out, " (an estimate: %" PRId64 " rows less than finished runs log on average, at their %s a row)",
        savings->rows_saved, format_duration(row_ms, text));
}

json_t *savings_json(const Besom__V1__Savings *savings)
{
    if (savings == NULL)
        return json_null();
    bool known = is_estimated(savings);
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "finished_runs", (json_int_t)savings->finished_runs,
                     "finished_rows", (json_int_t)savings->finished_rows, "finished_run_time_ms",
                     (json_int_t)savings->finished_run_time_ms, "stopped_runs",
                     (json_int_t)savings->stopped_runs, "stopped_rows", (json_int_t)savings->stopped_rows,
                     "stopped_run_time_ms", (json_int_t)savings->stopped_run_time_ms, "rows_saved",
                     known ? json_integer(savings->rows_saved) : json_null(), "run_time_saved_ms",
                     known ? json_integer(savings->run_time_saved_ms) : json_null());
}
