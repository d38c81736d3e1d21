// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/stopping_problem.h"

#include <math.h>

#include "base/random.h"

#define NOISE 0.01

double curve_loss(const struct curve *curve, int epoch)
{
    return curve->floor + curve->gap * pow(1 + epoch / curve->tau, -curve->beta);
}

static void draw_point(uint64_t seed, uint64_t number, double out[DIMS])
{
    for (uint32_t i = 0; i < DIMS; i++)
        out[i] = random_draw_unit(seed, number, "point", i);
}

void problem_point(const struct problem *problem, uint64_t number, double out[DIMS])
{
    draw_point(problem->seed, number % CONFIGS, out);
}

struct curve problem_curve(const struct kind *kind, const double point[DIMS])
{
    static const double optimum[DIMS] = {0.35, 0.6, 0.2, 0.75}, weight[DIMS] = {0.8, 0.5, 0.3, 0.1};
    struct curve curve = {.floor = 0.1, .gap = 2.2};
    for (uint32_t i = 0; i < DIMS; i++)
        curve.floor += weight[i] * (point[i] - optimum[i]) * (point[i] - optimum[i]);
    curve.tau = kind->tau + kind->tau_spread * (1 - point[0]);
    curve.beta = kind->beta + kind->beta_spread * point[0];
    return curve;
}

void problem_draw(const struct kind *kind, uint64_t seed, struct problem *out)
{
    *out = (struct problem){.kind = kind, .seed = seed, .best = HUGE_VAL};
    for (uint64_t i = 0; i < CONFIGS; i++) {
        double point[DIMS];
        draw_point(seed, i, point);
        out->curves[i] = problem_curve(kind, point);
        out->best = fmin(out->best, curve_loss(&out->curves[i], EPOCHS));
    }
}

/* Standard normal, a function of its arguments (Box and Muller). */
static double draw_normal(uint64_t seed, uint64_t run, uint32_t epoch)
{
    double radius = sqrt(-2 * log(1 - random_draw_unit(seed, run, "radius", epoch)));
    return radius * cos(6.283185307179586 * random_draw_unit(seed, run, "angle", epoch));
}

double problem_logged(const struct problem *problem, uint64_t run, int epoch, double loss)
{
    return loss * (1 + NOISE * draw_normal(problem->seed, run, (uint32_t)epoch));
}
