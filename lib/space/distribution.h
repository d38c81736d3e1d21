/*
 * The kinds of parameters that a sweep file can name. Each kind is one row of
 * one const table: the parser, `--help`, the grid, random draws and optimisers
 * read it. Pure; rows are static and shared between threads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_DISTRIBUTION_H
#define BESOM_SPACE_DISTRIBUTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DISTRIBUTION_KEYS_MAX 3

enum distribution_key_type {
    DISTRIBUTION_KEY_ANY,     /* any value */
    DISTRIBUTION_KEY_LIST,    /* a list of any values, not empty */
    DISTRIBUTION_KEY_NUMBER,  /* a finite number */
    DISTRIBUTION_KEY_INTEGER, /* a whole number; 3.0 counts as one */
    DISTRIBUTION_KEY_NUMBERS  /* a list of finite numbers */
};

struct distribution_key {
    const char *name;
    enum distribution_key_type type;
    bool required;
    double initial; /* default of a number that is not required */
};

struct parameter;
struct law;

/* Told each fault of a definition; `key` is the definition's key at fault, NULL for the definition as a
 * whole. */
typedef void distribution_report(void *context, const char *key, const char *text);

struct distribution {
    const char *name;
    const char *summary; /* one line: what the keys mean */
    struct distribution_key keys[DISTRIBUTION_KEYS_MAX];
    const struct law *law; /* of the numeric kinds, else NULL */
    bool quantised;        /* rounded to multiples of q */
    void (*check)(const struct parameter *parameter, distribution_report *report, void *context);
    json_t *(*value_at)(const struct parameter *parameter, double u); /* u in [0,1]; new reference */
    bool (*unit_of)(const struct parameter *parameter, const json_t *value, double *out_u);
    bool (*grid_count)(const struct parameter *parameter, uint64_t *out_count); /* false: past 2^64 */
    json_t *(*grid_value)(const struct parameter *parameter, uint64_t index);   /* new reference */
    /* A number for a value of this kind, the same for equal values; below the grid's count it is the place in
     * the grid. False for what the kind never gives. Only of kinds that conditions may name. */
    bool (*locate)(const struct parameter *parameter, const json_t *value, uint64_t *out_ordinal);
};

extern const struct distribution distributions[];
extern const size_t distribution_count;

const struct distribution *distribution_find(const char *name);

/* The row's key of that name, NULL when the kind does not have it. */
const struct distribution_key *distribution_find_key(const struct distribution *kind, const char *key);

/* The kind that a definition without `distribution` means by its keys: value, values, values + probabilities,
 * min + max (int_uniform when both are integers, else uniform). NULL when none fits. */
const struct distribution *distribution_infer(const json_t *definition);

/* Checks a leaf definition (an object with or without `distribution`; its `when` is passed over) and reports
 * every fault. Its kind, or
 * NULL when that cannot be told. */
const struct distribution *distribution_check(const json_t *definition, distribution_report *report,
                                              void *context);

#endif
