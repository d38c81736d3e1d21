/*
 * Parameters as likely as the data make them: draws from their posterior, for
 * a few results leave much room around the most likely ones.
 *
 * R. Neal: "MCMC using Hamiltonian dynamics" (Handbook of Markov Chain Monte
 * Carlo, 2011), figure 2: leapfrog steps, accepted by the change of energy, the
 * loss of fit.h its potential. The chain begins at the most likely parameters
 * and moves in the coordinates in which the loss is round there (its second
 * derivatives, from differences of gradients; Laplace's approximation).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_POSTERIOR_H
#define BESOM_OPTIM_POSTERIOR_H

#include <stdint.h>

#include "optim/fit.h"

#define POSTERIOR_DRAWS 8 /* what a search averages over, besides the most likely */

/* `count` sets of parameters (THETA_COUNT each) into out, by seed and ordinal; theta is where the loss is
 * least. NO_MEMORY. */
enum status posterior_draw(const struct fit *fit, const double *theta, uint64_t seed, uint64_t ordinal,
                           size_t count, double *out, struct err *err) MUST_USE;

#endif
