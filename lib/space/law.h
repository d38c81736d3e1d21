/*
 * The continuous laws behind the numeric kinds: quantile function, distribution
 * function and the rule that the arguments must obey. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_LAW_H
#define BESOM_SPACE_LAW_H

struct law {
    double (*quantile)(const double arguments[2], double u); /* finite for u in [0,1] */
    double (*distribution)(const double arguments[2], double x);
    /* What is wrong with the arguments (and *key_index at which of the two), NULL when nothing is. */
    const char *(*fault)(const double arguments[2], int *key_index);
};

extern const struct law law_uniform;  /* min, max */
extern const struct law law_integer;  /* min, max; only its rule is used */
extern const struct law law_log;      /* min, max > 0 */
extern const struct law law_exponent; /* exponents min, max */
extern const struct law law_inverse_exponent;
extern const struct law law_normal;     /* mu, sigma */
extern const struct law law_log_normal; /* mu, sigma of the logarithm */
extern const struct law law_beta;       /* a, b */

/* GSL aborts the process on a numeric error unless told otherwise; idempotent. */
void law_prepare(void);

#endif
