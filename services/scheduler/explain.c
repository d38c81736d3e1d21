// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/explain.h"

#include <stdio.h>
#include <stdlib.h>

/* The fewest digits that read back equal, so that a value and its threshold never look the same by rounding.
 */
void explain_number(double value, struct buffer *out)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_puts(out, text);
}

static void write_hyperband(const struct stop_decision *decision, const struct stop_config *config,
                            struct buffer *out)
{
    bool worse = decision->stop || decision->spared != STOP_NOT_SPARED;
    if (!config->strict)
        buffer_puts(out, "the best so far, ");
    explain_number(decision->value, out);
    buffer_printf(out, "%s at %s %lld is %s than the threshold ", config->strict ? "" : ",",
                  stop_unit(config), (long long)decision->band, worse ? "worse" : "no worse");
    explain_number(decision->threshold, out);
    buffer_printf(out, " (rank %zu of %zu that reached it)", decision->rank_index + 1, decision->count);
}

static void write_asha(const struct stop_decision *decision, const struct stop_config *config,
                       struct buffer *out)
{
    bool worse = decision->stop || decision->spared != STOP_NOT_SPARED;
    if (!config->strict)
        buffer_puts(out, "the best so far, ");
    explain_number(decision->value, out);
    buffer_printf(out, "%s at %s %lld is %s the best %zu of the %zu that reached it (",
                  config->strict ? "" : ",", stop_unit(config), (long long)decision->band,
                  worse ? "not among" : "among", decision->rank_index + 1, decision->count);
    explain_number(decision->threshold, out);
    buffer_puts(out, worse ? " would do)" : " does)");
}

static void write_median(const struct stop_decision *decision, const struct stop_config *config,
                         struct buffer *out)
{
    bool worse = decision->stop || decision->spared != STOP_NOT_SPARED;
    buffer_puts(out, "the best so far, ");
    explain_number(decision->value, out);
    buffer_printf(out, ", at %s %lld is %s than the median of the averages of %zu others, ",
                  stop_unit(config), (long long)decision->band, worse ? "worse" : "no worse",
                  decision->count);
    explain_number(decision->threshold, out);
}

static void write_spared(const struct stop_decision *decision, const struct stop_config *config,
                         struct buffer *out)
{
    switch (decision->spared) {
    case STOP_NOT_SPARED: break;
    case STOP_SPARED_GRACE:
        buffer_printf(out, "; it goes on: nothing is stopped below %s %lld (grace)", stop_unit(config),
                      (long long)config->grace);
        break;
    case STOP_SPARED_MAX_STOPS:
        buffer_puts(out, "; it goes on: as many as max_stops allows were stopped");
        break;
    case STOP_SPARED_TOO_FEW:
        buffer_printf(out, "; it goes on: %lld others are needed (min_runs)", (long long)config->min_runs);
        break;
    }
}

void explain_decision(const struct stop_decision *decision, const struct stop_config *config,
                      struct buffer *out)
{
    static void (*const writers[])(const struct stop_decision *, const struct stop_config *,
                                   struct buffer *) = {
        [STOP_HYPERBAND] = write_hyperband, [STOP_ASHA] = write_asha, [STOP_MEDIAN] = write_median};
    writers[config->type](decision, config, out);
    write_spared(decision, config, out);
}

json_t *explain_rivals(const struct stop_decision *decision)
{
    json_t *rivals = json_array();
    for (size_t i = 0; i < decision->rival_count; i++) {
        const struct stop_rival *rival = &decision->rivals[i];
        json_t *pair = json_pack("[s, f]", rival->run, rival->value);
        if (pair == NULL || json_array_append_new(rivals, pair) != 0) {
            json_decref(rivals);
            return NULL;
        }
    }
    return rivals;
}
