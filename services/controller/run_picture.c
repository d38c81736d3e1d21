// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/run_picture.h"

#include <math.h>
#include <string.h>

/* ---- figures ---- */

static void merge_into(struct store_summary *to, const struct store_summary *later)
{
    to->attempt = later->attempt;
    to->points += later->points;
    to->last = later->last;
    to->last_step = later->last_step;
    to->least_step = later->least_step < to->least_step ? later->least_step : to->least_step;
    to->min = fmin(to->min, later->min); /* a NaN loses */
    to->max = fmax(to->max, later->max);
    to->total += later->total;
    to->finite += later->finite;
}

size_t run_picture_merge(struct store_summary *rows, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (left > 0 && strcmp(rows[left - 1].name, rows[i].name) == 0)
            merge_into(&rows[left - 1], &rows[i]);
        else
            rows[left++] = rows[i];
    }
    return left;
}
