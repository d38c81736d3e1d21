// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/explain.h"

#include <stdio.h>
#include <stdlib.h>

/* The fewest digits that read back equal, so that a value and its threshold never look the same by rounding.
 */
static void write_number(struct buffer *out, double value)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_puts(out, text);
}

void explain_decision(const struct stop_decision *decision, bool strict, struct buffer *out)
{
    if (!strict)
        buffer_puts(out, "the best so far, ");
    write_number(out, decision->value);
    buffer_printf(out, "%s at row %lld is %s than the threshold ", strict ? "" : ",",
                  (long long)decision->band, decision->stop ? "worse" : "no worse");
    write_number(out, decision->threshold);
    buffer_printf(out, " (rank %zu of %zu that reached it)", decision->rank_index + 1, decision->count);
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
