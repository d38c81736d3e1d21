// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/minimise.h"

#include <math.h>
#include <nlopt.h>
#include <string.h>

#include "base/arena.h"

#define CORRECTIONS 10
#define STEP_MIN 1e-9

struct search {
    const struct minimise *problem;
    double *best_x; /* borrowed */
    double best;
    double *scratch; /* gradient where NLopt wants none */
};

static double evaluate(unsigned count, const double *x, double *gradient, void *context)
{
    struct search *search = context;
    double value =
        search->problem->function(search->problem->context, x, gradient != NULL ? gradient : search->scratch);
    if (value < search->best) {
        search->best = value;
        memcpy(search->best_x, x, count * sizeof *x);
    }
    return value;
}

static bool configure(nlopt_opt opt, struct search *search)
{
    const struct minimise *problem = search->problem;
    return nlopt_set_min_objective(opt, evaluate, search) >= 0 &&
           nlopt_set_lower_bounds(opt, problem->lower) >= 0 &&
           nlopt_set_upper_bounds(opt, problem->upper) >= 0 &&
           nlopt_set_vector_storage(opt, CORRECTIONS) >= 0 &&
           nlopt_set_maxeval(opt, problem->evaluations_max) >= 0 &&
           nlopt_set_ftol_rel(opt, problem->tolerance) >= 0 && nlopt_set_xtol_abs1(opt, STEP_MIN) >= 0;
}

enum status minimise(const struct minimise *problem, double *x, double *value, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    double *at = arena_alloc(&arena, problem->count * sizeof *at);
    double *scratch = arena_alloc(&arena, problem->count * sizeof *scratch);
    nlopt_opt opt = nlopt_create(NLOPT_LD_LBFGS, (unsigned)problem->count);
    struct search search = {.problem = problem, .best_x = x, .best = HUGE_VAL, .scratch = scratch};
    enum status status = STATUS_OK;
    if (at == NULL || scratch == NULL || opt == NULL || !configure(opt, &search)) {
        status = err_set(err, STATUS_NO_MEMORY, "minimising: out of memory");
    } else {
        double last = 0;
        for (size_t i = 0; i < problem->count; i++)
            at[i] = fmin(fmax(x[i], problem->lower[i]), problem->upper[i]);
        /* Its result says why it ended (also for want of digits): the best point counts either way. */
        (void)nlopt_optimize(opt, at, &last);
        *value = search.best;
    }
    nlopt_destroy(opt);
    return status;
}
