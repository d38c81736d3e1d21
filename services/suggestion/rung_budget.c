// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/rung_budget.h"

#include <math.h>

#include "space/space.h"
#include "stop/budget.h"

/* By band; after the last one whole runs, prior ones included. */
static enum status count_values(struct store_tx *tx, const char *sweep_id, int64_t until, size_t band_count,
                                size_t counts[STOP_BANDS_MAX + 1], struct err *err)
{
    struct store_budget *budgets;
    struct store_result *prior;
    size_t count = 0;
    TRY(store_count_budgets(tx, sweep_id, until, &budgets, &count, err));
    for (size_t i = 0; i < count; i++) {
        size_t place = budgets[i].band_index < 0 ? band_count : (size_t)budgets[i].band_index;
        if (place <= band_count)
            counts[place] = (size_t)budgets[i].values;
    }
    TRY(store_list_prior_runs(tx, sweep_id, &prior, &count, err));
    for (size_t i = 0; i < count; i++)
        counts[band_count] += isfinite(prior[i].objective) ? 1 : 0;
    return STATUS_OK;
}

enum status rung_budget_choose(struct store_tx *tx, const char *sweep_id, const struct spec *spec,
                               int64_t until, struct rung_budget *out, struct err *err)
{
    const struct stop_config *rule = &spec->early_terminate;
    int64_t bands[STOP_BANDS_MAX];
    size_t counts[STOP_BANDS_MAX + 1] = {0};
    size_t band_count = 0;
    size_t searched = space_searched_count(spec->space);
    TRY(stop_bands(rule, bands, &band_count, err));
    TRY(count_values(tx, sweep_id, until, band_count, counts, err));
    size_t chosen = budget_choose(counts, band_count + 1, searched > 0 ? searched : 1);
    chosen = chosen == BUDGET_NONE ? 0 : chosen;
    *out = (struct rung_budget){.band_index = chosen == band_count ? STORE_WHOLE_RUNS : (int32_t)chosen,
                                .at = chosen == band_count ? rule->max_iter : bands[chosen],
                                .values = (int64_t)counts[chosen]};
    return STATUS_OK;
}

json_t *rung_budget_json(const struct rung_budget *budget, const struct spec *spec)
{
    return json_pack("{s:I, s:s, s:I}", "at", (json_int_t)budget->at, "unit",
                     stop_unit(&spec->early_terminate), "values", (json_int_t)budget->values);
}
