// SPDX-License-Identifier: GPL-3.0-or-later
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static size_t index_of(const struct parzen *parzen, size_t kernel, size_t i)
{
    return i * (parzen->count + 1) + kernel;
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
    size_t count = 0;
    double least = 1 / fmin(DEVIATION_CELLS_MAX, (double)parzen->count + 2);
    for (size_t k = 0; k <= parzen->count; k++) {
        double value = k < parzen->count ? parzen->points[k][i] : OPTIM_INACTIVE;
        double mean = place_of(&parzen->space->dims[i], value);
        size_t at = index_of(parzen, k, i);
        parzen->means[at] =
            mean != OPTIM_INACTIVE ? mean : PRIOR_MEAN; /* where nothing is known but the prior */
        parzen->deviations[at] = PRIOR_DEVIATION;
        if (mean != OPTIM_INACTIVE)
            order[count++] = (struct placed){.mean = mean, .kernel = k};
    }
    qsort(order, count, sizeof *order, compare_placed);
    for (size_t j = 0; j < count; j++)
        parzen->deviations[index_of(parzen, order[j].kernel, i)] =
            fmin(fmax(gap_at(order, count, j), least), 1);
}

static void note_levels(struct parzen *parzen, size_t i)
{
    for (size_t k = 0; k <= parzen->count; k++)
        parzen->means[index_of(parzen, k, i)] = k < parzen->count ? parzen->points[k][i] : OPTIM_INACTIVE;
}

/* Logarithm of what a kernel's density is divided by, so that it is 1 over the range. */
static double log_scale(const struct optim_dim *dim, double mean, double deviation)
{
    double log_mass = log(cell_mass(-mean / deviation, (1 - mean) / deviation));
    return dim->kind == OPTIM_FLOAT ? log_mass + log(deviation) + 0.5 * log(2 * M_PI) : log_mass;
}

static void measure(struct parzen *parzen, size_t i)
{
    for (size_t k = 0; k <= parzen->count; k++) {
        size_t at = index_of(parzen, k, i);
        parzen->log_scales[at] =
            log_scale(&parzen->space->dims[i], parzen->means[at], parzen->deviations[at]);
    }
}

static void fill(struct parzen *parzen, struct placed *order)
{
    for (size_t i = 0; i < parzen->space->count; i++) {
        if (parzen->space->dims[i].kind == OPTIM_CATEGORY) {
            note_levels(parzen, i);
            continue;
        }
        place_kernels(parzen, i, order);
        measure(parzen, i);
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
    fill(parzen, order);
    return STATUS_OK;
}

/* ---- categories ---- */

static double share_of(const struct optim_dim *dim, uint64_t level)
{
    return dim->shares != NULL ? dim->shares[level] : 1 / (double)dim->levels;
}

/* In units of a point's own level. */
static double prior_weight(const struct parzen *parzen, const struct optim_dim *dim)
{
    return PRIOR_WEIGHT * (double)dim->levels / (double)(parzen->count + 1);
}

/* The kernel's own level, smoothed by the prior's shares. */
static double category_chance(const struct parzen *parzen, size_t kernel, size_t i, uint64_t level)
{
    const struct optim_dim *dim = &parzen->space->dims[i];
    double own = parzen->means[index_of(parzen, kernel, i)];
    if (own == OPTIM_INACTIVE)
        return share_of(dim, level);
    double prior = prior_weight(parzen, dim);
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
        double mean = parzen->means[index_of(parzen, kernel, i)];
        double deviation = parzen->deviations[index_of(parzen, kernel, i)];
        u = draws_unit(draws);
        if (dim->kind == OPTIM_CATEGORY) {
            out_full[i] = draw_category(parzen, kernel, i, u);
            continue;
        }
        double x = mean + deviation * cell_quantile(-mean / deviation, (1 - mean) / deviation, u);
        x = fmin(fmax(x, 0), 1);
        out_full[i] = dim->kind == OPTIM_FLOAT ? x : (double)dims_level_near(dim, x);
    }
}

/* What kernels need to know of one dimension of a point. */
struct probe {
    enum optim_kind kind;
    double value;
    double low, high;                   /* of an ORDERED level's cell */
    double log_own, log_other, log_any; /* of a category: of kernels that have it, another one, or none */
};

static double log_of(double chance)
{
    return log(fmax(chance, DBL_MIN));
}

static void probe_dimension(const struct parzen *parzen, size_t i, double value, struct probe *out)
{
    const struct optim_dim *dim = &parzen->space->dims[i];
    *out = (struct probe){.kind = dim->kind, .value = value};
    if (dim->kind == OPTIM_ORDERED) {
        cell_bounds(dim, (uint64_t)value, &out->low, &out->high);
        out->low = fmax(out->low, 0);
        out->high = fmin(out->high, 1);
    }
    if (dim->kind != OPTIM_CATEGORY)
        return;
    double prior = prior_weight(parzen, dim);
    double share = share_of(dim, (uint64_t)value);
    out->log_own = log_of((prior * share + 1) / (prior + 1));
    out->log_other = log_of(prior * share / (prior + 1));
    out->log_any = log_of(share);
}

/* Of one dimension that the point has. */
static double log_kernel(const struct parzen *parzen, size_t at, const struct probe *probe)
{
    double mean = parzen->means[at];
    double deviation = parzen->deviations[at];
    if (probe->kind == OPTIM_FLOAT) {
        double z = (probe->value - mean) / deviation;
        return -z * z / 2 - parzen->log_scales[at];
    }
    if (probe->kind == OPTIM_CATEGORY)
        return mean == OPTIM_INACTIVE ? probe->log_any
               : mean == probe->value ? probe->log_own
                                      : probe->log_other;
    double mass = cell_mass((probe->low - mean) / deviation, (probe->high - mean) / deviation);
    return (mass > DBL_MIN ? log(mass) : LOG_TINY) - parzen->log_scales[at];
}

double parzen_log_density(const struct parzen *parzen, const double *point)
{
    struct probe probe;
    double most = -HUGE_VAL;
    double sum = 0;
    memcpy(parzen->terms, parzen->log_weights, (parzen->count + 1) * sizeof *parzen->terms);
    for (size_t i = 0; i < parzen->space->count; i++) {
        if (point[i] == OPTIM_INACTIVE)
            continue;
        probe_dimension(parzen, i, point[i], &probe);
        for (size_t k = 0; k <= parzen->count; k++)
            parzen->terms[k] += log_kernel(parzen, index_of(parzen, k, i), &probe);
    }
    for (size_t k = 0; k <= parzen->count; k++)
        most = fmax(most, parzen->terms[k]);
    for (size_t k = 0; k <= parzen->count; k++)
        if (parzen->terms[k] > most + LOG_TINY)
            sum += exp(parzen->terms[k] - most);
    return most + log(sum);
}
