// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/dims.h"

#include <math.h>

#define INACTIVE_COORDINATE 0.5

double dims_position(const struct optim_dim *dim, uint64_t level)
{
    return dim->positions != NULL ? dim->positions[level] : ((double)level + 0.5) / (double)dim->levels;
}

uint64_t dims_level_near(const struct optim_dim *dim, double position)
{
    uint64_t low = 0;
    uint64_t high = dim->levels - 1;
    if (dim->positions == NULL) {
        double level = floor(position * (double)dim->levels);
        return level < 0 ? 0 : level > (double)high ? high : (uint64_t)level;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (dim->positions[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0 && position - dim->positions[low - 1] < dim->positions[low] - position)
        low--;
    return low;
}

static uint64_t category_at(const struct optim_dim *dim, double unit)
{
    if (dim->shares == NULL)
        return (uint64_t)fmin(floor(unit * (double)dim->levels), (double)(dim->levels - 1));
    double sum = 0;
    uint64_t last = 0;
    for (uint64_t i = 0; i < dim->levels; i++) {
        sum += dim->shares[i];
        if (dim->shares[i] > 0)
            last = i;
        if (unit < sum)
            return i;
    }
    return last;
}

void dims_from_unit(const struct optim_space *space, const double *unit, double *out_point)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct optim_dim *dim = &space->dims[i];
        switch (dim->kind) {
        case OPTIM_FLOAT: out_point[i] = unit[i]; break;
        case OPTIM_ORDERED: out_point[i] = (double)dims_level_near(dim, unit[i]); break;
        case OPTIM_CATEGORY: out_point[i] = (double)category_at(dim, unit[i]); break;
        }
    }
}

void dims_settle(const struct optim_space *space, const double *full, bool *active, double *out_point)
{
    if (space->active != NULL)
        space->active(space->context, full, active);
    for (size_t i = 0; i < space->count; i++) {
        const struct optim_dim *dim = &space->dims[i];
        bool rounds = dim->kind == OPTIM_FLOAT && dim->snap != NULL;
        if (space->active != NULL && !active[i])
            out_point[i] = OPTIM_INACTIVE;
        else
            out_point[i] = rounds ? dim->snap(dim->context, full[i]) : full[i];
    }
}

bool dims_is_continuous(const struct optim_dim *dim)
{
    return dim->kind == OPTIM_FLOAT && dim->snap == NULL;
}

void dims_embed(const struct optim_space *space, const double *point, double *out_coordinates)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct optim_dim *dim = &space->dims[i];
        if (dim->kind == OPTIM_CATEGORY)
            out_coordinates[i] = point[i];
        else if (point[i] == OPTIM_INACTIVE)
            out_coordinates[i] = INACTIVE_COORDINATE;
        else
            out_coordinates[i] = dim->kind == OPTIM_FLOAT ? point[i] : dims_position(dim, (uint64_t)point[i]);
    }
}

uint64_t dims_combinations(const struct optim_space *space)
{
    uint64_t product = 1;
    for (size_t i = 0; i < space->count; i++) {
        if (space->dims[i].kind == OPTIM_FLOAT || space->dims[i].levels > (UINT64_C(1) << 63) / product)
            return UINT64_MAX;
        product *= space->dims[i].levels;
    }
    return product;
}

void dims_combination(const struct optim_space *space, uint64_t index, double *out_point)
{
    for (size_t i = space->count; i-- > 0;) {
        out_point[i] = (double)(index % space->dims[i].levels);
        index /= space->dims[i].levels;
    }
}
