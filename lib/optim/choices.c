// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/choices.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_BASE 0.73

static const struct optim_dim *dim_of(const struct choices *choices, size_t k)
{
    return &choices->space->dims[choices->dims[k]];
}

void choices_reset(struct choices *choices)
{
    for (size_t k = 0; k < choices->count; k++) {
        const struct optim_dim *dim = dim_of(choices, k);
        double *chances = choices->chances[k];
        assert(chances != NULL); /* by choices_init */
        for (size_t level = 0; level < dim->levels; level++)
            chances[level] = dim->shares != NULL ? dim->shares[level] : 1 / (double)dim->levels;
    }
}

enum status choices_init(struct choices *choices, const struct optim_space *space, const size_t *dims,
                         size_t count, struct err *err)
{
    *choices = (struct choices){.count = count, .dims = dims, .space = space};
    size_t widest = 0;
    for (size_t k = 0; k < count; k++) {
        size_t levels = (size_t)dim_of(choices, k)->levels;
        choices->levels += levels;
        widest = levels > widest ? levels : widest;
    }
    choices->chances = calloc(count + 1, sizeof(double *));
    choices->room = calloc(choices->levels + widest + 1, sizeof *choices->room);
    if (choices->chances == NULL || choices->room == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    double *next = choices->room;
    for (size_t k = 0; k < count; k++) {
        choices->chances[k] = next;
        next += dim_of(choices, k)->levels;
    }
    choices_reset(choices);
    return STATUS_OK;
}

void choices_release(struct choices *choices)
{
    free(choices->chances);
    free(choices->room);
    *choices = (struct choices){.count = 0};
}

double choices_draw(const struct choices *choices, size_t k, double u)
{
    uint64_t levels = dim_of(choices, k)->levels;
    for (uint64_t level = 0; level + 1 < levels; level++) {
        u -= choices->chances[k][level];
        if (u < 0)
            return (double)level;
    }
    return (double)(levels - 1);
}

static void keep_margin(const struct choices *choices, size_t k)
{
    double *chances = choices->chances[k];
    size_t levels = (size_t)dim_of(choices, k)->levels;
    double least = (1 - pow(MARGIN_BASE, 1 / (double)choices->count)) / ((double)levels - 1);
    double sum = 0;
    for (size_t level = 0; level < levels; level++) {
        chances[level] = fmax(chances[level], least);
        sum += chances[level];
    }
    double spare = sum - (double)levels * least;
    for (size_t level = 0; level < levels && spare > 0; level++)
        chances[level] += (1 - sum) * (chances[level] - least) / spare;
}

void choices_update(struct choices *choices, const double *rows, const double *weights, size_t mu, double eta)
{
    double *gain = choices->room + choices->levels;
    for (size_t k = 0; k < choices->count; k++) {
        double *chances = choices->chances[k];
        size_t levels = (size_t)dim_of(choices, k)->levels;
        double known = 0;
        if (levels < 2)
            continue;
        memset(gain, 0, levels * sizeof *gain);
        for (size_t i = 0; i < mu; i++) {
            double level = rows[i * choices->count + k];
            if (level == OPTIM_INACTIVE)
                continue;
            gain[(size_t)level] += weights[i];
            known += weights[i];
        }
        for (size_t level = 0; level < levels; level++)
            chances[level] += eta * (gain[level] - known * chances[level]);
        keep_margin(choices, k);
    }
}
