/*
 * A tuning problem whose learning curves are known. Each seed draws 256
 * configurations of four parameters. The loss of one after t of 81 epochs is
 *
 *     floor + gap * (1 + t / tau)^-beta
 *
 * where floor is a bowl over all parameters and tau and beta follow one of
 * them, so that curves cross. What is logged has noise of 1 % on it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_STOPPING_PROBLEM_H
#define BESOM_TESTS_BENCH_STOPPING_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIGS 256
#define DIMS 4
#define EPOCHS 81
#define WORKERS 16
#define NEAR 1.01
#define EPOCHS_MAX (INT64_C(2) * CONFIGS * EPOCHS) /* a search that has spent them is given up */

/* How much the speed of learning differs between configurations. */
struct kind {
    const char *name;
    double tau, tau_spread, beta, beta_spread;
    bool has_goals;
};

struct curve {
    double floor, gap, tau, beta;
};

struct problem {
    const struct kind *kind;
    uint64_t seed;
    struct curve curves[CONFIGS];
    double best; /* least loss of them after all epochs */
};

void problem_draw(const struct kind *kind, uint64_t seed, struct problem *out);
/* The point in the unit cube of a configuration that was drawn, counted round; and the curve of any point. */
void problem_point(const struct problem *problem, uint64_t number, double out[DIMS]);
struct curve problem_curve(const struct kind *kind, const double point[DIMS]);
double curve_loss(const struct curve *curve, int epoch);
/* The loss as run `run` logs it. */
double problem_logged(const struct problem *problem, uint64_t run, int epoch, double loss);

#endif
