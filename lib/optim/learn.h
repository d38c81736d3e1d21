/*
 * When parameters are fitted, from which values, and which points count as
 * outliers. What is learnt is a function of the history alone, never of when
 * somebody asked: fits happen at scheduled numbers of successes, each from the
 * one before, and every now and then from scratch, so that a process that
 * starts anew has few of them to repeat.
 *
 * While there is a fit for each success, it is followed by draws of other
 * parameters that explain the values about as well: they have much room then.
 *
 * Outliers: after a fit, points that leave-one-out calls far worse than
 * predicted get a thousandfold noise, and the fit is repeated.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_LEARN_H
#define BESOM_OPTIM_LEARN_H

#include "base/err.h"
#include "optim/gp.h"
#include "optim/history.h"

#define LEARN_OUTLIER_NOISE 1e3

struct learnt {
    size_t fitted;   /* successes of the last fit; 0 = none yet */
    double strength; /* of the transform */
    double *theta;   /* owned; THETA_COUNT */
    double *factors; /* owned; of each success's noise */
    size_t capacity; /* of factors */
    bool *category;  /* owned; by dimension */
    double *draws;   /* owned; other parameters as likely as the last fit's, POSTERIOR_DRAWS sets */
    size_t draw_count;
};

enum status learnt_init(struct learnt *learnt, const struct optim_space *space, struct err *err) MUST_USE;
void learnt_release(struct learnt *learnt);

/* Brings it to the last scheduled fit for this history; needs two successes. */
enum status learnt_update(struct learnt *learnt, const struct history *history, uint64_t seed,
                          struct err *err) MUST_USE;

/* Multiplies the noise of outliers among the points of a factored process; *found says how many. */
enum status learnt_mark_outliers(const struct gp *gp, double *factors, size_t *found, struct arena *arena,
                                 struct err *err) MUST_USE;

#endif
