// SPDX-License-Identifier: GPL-3.0-or-later
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "optim/cell.h"
#include "optim/tpe.h"

#define PRIOR_WEIGHT 1.0
#define PRIOR_MEAN 0.5
#define PRIOR_DEVIATION 1.0
#define DEVIATION_CELLS_MAX 100.0 /* a kernel is at least as wide as one of so many equal cells */
#define EQUAL_WEIGHTS 25          /* of the newest points; older ones fade */
#define LOG_TINY (-708.0)

/* Older points count less: from 1/n up to the newest 25, which count 1. */
static double age_weight(size_t index, size_t count)
{
    size_t faded = count > EQUAL_WEIGHTS ? count - EQUAL_WEIGHTS : 0;
    if (index >= faded)
        return 1;
    double first = 1 / (double)count;
    return faded == 1 ? first : first + (1 - first) * (double)index / (double)(faded - 1);
}

static void weigh(struct parzen *parzen)
{
    double sum = PRIOR_WEIGHT;
    double below = 0;
    for (size_t i = 0; i < parzen->count; i++)
        sum += age_weight(i, parzen->count);
    for (size_t i = 0; i <= parzen->count; i++) {
        double weight = (i < parzen->count ? age_weight(i, parzen->count) : PRIOR_WEIGHT) / sum;
        below += weight;
        parzen->log_weights[i] = log(weight);
        parzen->cumulative[i] = below;
    }
    parzen->cumulative[parzen->count] = 1;
}

/* Where the kernel of a point (the prior's at `count`) stands in a numeric dimension. */
static void kernel_at(const struct parzen *parzen, size_t kernel, size_t i, double *mean, double *deviation)
{
    size_t at = kernel * parzen->space->count + i;
    bool own = kernel < parzen->count && parzen->means[at] != OPTIM_INACTIVE;
    *mean = own ? parzen->means[at] : PRIOR_MEAN; /* without a value nothing is known but the prior */
    *deviation = own ? parzen->deviations[at] : PRIOR_DEVIATION;
}

static double place_of(const struct optim_dim *dim, double value)
{
    if (dim->kind == OPTIM_CATEGORY || value == OPTIM_INACTIVE)
        return OPTIM_INACTIVE;
    return dim->kind == OPTIM_FLOAT ? value : dims_position(dim, (uint64_t)value);
}

struct placed {
    double mean;
    size_t kernel;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;
    if (x->mean != y->mean)
        return x->mean < y->mean ? -1 : 1;
    return x->kernel < y->kernel ? -1 : x->kernel > y->kernel;
}

/* As wide as the gap to the farther neighbour; the ends of the range are neighbours of a lone point only. */
static double gap_at(const struct placed *order, size_t count, size_t i)
{
    double left = order[i].mean - (i > 0 ? order[i - 1].mean : 0);
    double right = (i + 1 < count ? order[i + 1].mean : 1) - order[i].mean;
    if (count > 1 && i == 0)
        return right;
    return count > 1 && i + 1 == count ? left : fmax(left, right);
}

static void place_kernels(struct parzen *parzen, size_t i, struct placed *order)
{
    size_t dims = parzen->space->count;
    size_t count = 0;
    double least = 1 / fmin(DEVIATION_CELLS_MAX, (double)parzen->count + 2);
    for (size_t k = 0; k < parzen->count; k++) {
        double mean = place_of(&parzen->space->dims[i], parzen->points[k][i]);
        parzen->means[k * dims + i] = mean;
        if (mean != OPTIM_INACTIVE)
            order[count++] = (struct placed){.mean = mean, .kernel = k};
    }
    qsort(order, count, sizeof *order, compare_placed);
    for (size_t j = 0; j < count; j++)
        parzen->deviations[order[j].kernel * dims + i] = fmin(fmax(gap_at(order, count, j), least), 1);
}

/* Logarithm of what a kernel's density is divided by, so that it is 1 over the range. */
static double log_scale(const struct optim_dim *dim, double mean, double deviation)
{
    double log_mass = log(cell_mass(-mean / deviation, (1 - mean) / deviation));
    return dim->kind == OPTIM_FLOAT ? log_mass + log(deviation) + 0.5 * log(2 * M_PI) : log_mass;
}

static void measure(struct parzen *parzen)
{
    size_t dims = parzen->space->count;
    for (size_t k = 0; k <= parzen->count; k++)
        for (size_t i = 0; i < dims; i++) {
            const struct optim_dim *dim = &parzen->space->dims[i];
            double mean = 0;
            double deviation = 0;
            kernel_at(parzen, k, i, &mean, &deviation);
            parzen->log_scales[k * dims + i] =
                dim->kind == OPTIM_CATEGORY ? 0 : log_scale(dim, mean, deviation);
        }
}

enum status parzen_init(struct parzen *parzen, const struct optim_space *space, const double *const *points,
                        size_t count, struct arena *arena, struct err *err)
{
    struct placed *order = arena_alloc(arena, (count + 1) * sizeof *order);
    *parzen = (struct parzen){.space = space,
                              .points = points,
                              .count = count,
                              .means = arena_alloc(arena, (count + 1) * space->count * sizeof(double)),
                              .deviations = arena_alloc(arena, (count + 1) * space->count * sizeof(double)),
                              .log_weights = arena_alloc(arena, (count + 1) * sizeof(double)),
                              .cumulative = arena_alloc(arena, (count + 1) * sizeof(double)),
                              .log_scales = arena_alloc(arena, (count + 1) * space->count * sizeof(double)),
                              .terms = arena_alloc(arena, (count + 1) * sizeof(double))};
    if (order == NULL || parzen->means == NULL || parzen->deviations == NULL || parzen->log_weights == NULL ||
        parzen->cumulative == NULL || parzen->log_scales == NULL || parzen->terms == NULL)
        return err_set(err, STATUS_NO_MEMORY, "densities: out of memory");
    weigh(parzen);
    for (size_t i = 0; i < space->count; i++)
        place_kernels(parzen, i, order);
    measure(parzen);
    return STATUS_OK;
}

/* ---- categories ---- */

static double share_of(const struct optim_dim *dim, uint64_t level)
{
    return dim->shares != NULL ? dim->shares[level] : 1 / (double)dim->levels;
}

/* The kernel's own level, smoothed by the prior's shares. */
static double category_chance(const struct parzen *parzen, size_t kernel, size_t i, uint64_t level)
{
    const struct optim_dim *dim = &parzen->space->dims[i];
    double own = kernel < parzen->count ? parzen->points[kernel][i] : OPTIM_INACTIVE;
    if (own == OPTIM_INACTIVE)
        return share_of(dim, level);
    double prior = PRIOR_WEIGHT * (double)dim->levels / (double)(parzen->count + 1);
    return (prior * share_of(dim, level) + (own == (double)level)) / (prior + 1);
}

static double draw_category(const struct parzen *parzen, size_t kernel, size_t i, double u)
{
    uint64_t levels = parzen->space->dims[i].levels;
    for (uint64_t level = 0; level + 1 < levels; level++) {
        u -= category_chance(parzen, kernel, i, level);
        if (u < 0)
            return (double)level;
    }
    return (double)(levels - 1);
}

/* ---- drawing and measuring ---- */

void parzen_draw(const struct parzen *parzen, struct draws *draws, double *out_full)
{
    size_t kernel = 0;
    double u = draws_unit(draws);
    while (kernel < parzen->count && u >= parzen->cumulative[kernel])
        kernel++;
    for (size_t i = 0; i < parzen->space->count; i++) {
        const struct optim_dim *dim = &parzen->space->dims[i];
        double mean = 0;
        double deviation = 0;
        u = draws_unit(draws);
        if (dim->kind == OPTIM_CATEGORY) {
            out_full[i] = draw_category(parzen, kernel, i, u);
            continue;
        }
        kernel_at(parzen, kernel, i, &mean, &deviation);
        double x = mean + deviation * cell_quantile(-mean / deviation, (1 - mean) / deviation, u);
        x = fmin(fmax(x, 0), 1);
        out_full[i] = dim->kind == OPTIM_FLOAT ? x : (double)dims_level_near(dim, x);
    }
}

/* Of an ORDERED dimension: the mass of the level's cell. */
static double log_cell(const struct optim_dim *dim, double value, double mean, double deviation)
{
    double low = 0;
    double high = 0;
    cell_bounds(dim, (uint64_t)value, &low, &high);
    double mass = cell_mass((fmax(low, 0) - mean) / deviation, (fmin(high, 1) - mean) / deviation);
    return mass > DBL_MIN ? log(mass) : LOG_TINY;
}

/* Of one dimension that the point has. */
static double log_kernel(const struct parzen *parzen, size_t kernel, size_t i, double value)
{
    const struct optim_dim *dim = &parzen->space->dims[i];
    double mean = 0;
    double deviation = 0;
    if (dim->kind == OPTIM_CATEGORY)
        return log(fmax(category_chance(parzen, kernel, i, (uint64_t)value), DBL_MIN));
    kernel_at(parzen, kernel, i, &mean, &deviation);
    double scale = parzen->log_scales[kernel * parzen->space->count + i];
    double z = (value - mean) / deviation;
    return dim->kind == OPTIM_FLOAT ? -z * z / 2 - scale : log_cell(dim, value, mean, deviation) - scale;
}

double parzen_log_density(const struct parzen *parzen, const double *point)
{
    double most = -HUGE_VAL;
    double sum = 0;
    for (size_t k = 0; k <= parzen->count; k++) {
        double term = parzen->log_weights[k];
        for (size_t i = 0; i < parzen->space->count; i++)
            if (point[i] != OPTIM_INACTIVE)
                term += log_kernel(parzen, k, i, point[i]);
        parzen->terms[k] = term;
        most = fmax(most, term);
    }
    for (size_t k = 0; k <= parzen->count; k++)
        sum += exp(parzen->terms[k] - most);
    return most + log(sum);
}
