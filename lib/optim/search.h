/*
 * One face for all optimisers: what `optimizer` in a sweep file names. A method
 * is a row of a const table. Each is a function of the space, the seed, what it
 * was told (in order), what is pending and the ordinal, as optim.h says of gp.
 * One thread at a time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SEARCH_H
#define BESOM_OPTIM_SEARCH_H

#include "optim/optim.h"

#define SEARCH_FACTS_MAX 8

/* What a suggestion was drawn from, for people and machines. */
struct search_fact {
    const char *name; /* static */
    double value;
};

struct search_report {
    const char *phase; /* static; one word */
    bool exhausted;    /* every point of a discrete space is taken: there is none */
    bool has_model;    /* `model` holds what gp believes */
    struct optim_report model;
    struct search_fact facts[SEARCH_FACTS_MAX];
    size_t fact_count;
};

struct search_method {
    const char *name;
    /* `space` is borrowed until release. */
    enum status (*make)(const struct optim_space *space, uint64_t seed, void **out, struct err *err);
    void (*release)(void *state);
    /* A settled point's value, larger is better. Not finite: it failed. */
    enum status (*tell)(void *state, const double *point, double value, struct err *err);
    /* The settled point for a question; `out_point` is left alone when exhausted. */
    enum status (*suggest)(void *state, const struct optim_question *question, double *out_point,
                           struct search_report *report, struct err *err);
    size_t (*bytes)(const void *state); /* about what it holds beyond fixed sizes */
};

extern const struct search_method search_gp, search_tpe, search_cmaes, search_sobol;

/* NULL: there is none of that name. */
const struct search_method *search_find(const char *name);

struct search {
    const struct search_method *method;
    void *state; /* owned */
};

enum status search_init(struct search *search, const struct search_method *method,
                        const struct optim_space *space, uint64_t seed, struct err *err) MUST_USE;
/* Zeroed is fine. */
void search_release(struct search *search);

/* For methods. */
void search_add_fact(struct search_report *report, const char *name, double value);

#endif
