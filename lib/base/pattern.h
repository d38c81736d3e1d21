/*
 * What a POSIX extended regular expression would cost, told before regcomp
 * sees it: regcomp writes x{n} out n times and x+ as xx*, so that a few nested
 * ones are more than a machine holds; and it walks every way through what may
 * match nothing, which (x*)? doubles each time. Pure.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_PATTERN_H
#define BESOM_BASE_PATTERN_H

#include <stdbool.h>

struct pattern_cost {
    bool too_large; /* to be compiled */
    bool refers;    /* to a group by \1: no part of extended expressions, and exponential to match */
    bool counts;    /* repetitions in braces */
};

/* Never fails: a pattern that is none has some cost, too. */
struct pattern_cost pattern_reckon(const char *text);

#endif
