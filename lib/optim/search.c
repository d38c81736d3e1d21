// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/search.h"

#include <string.h>

static const struct search_method *const methods[] = {&search_gp, &search_tpe, &search_cmaes, &search_sobol};

const struct search_method *search_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    return NULL;
}

enum status search_init(struct search *search, const struct search_method *method,
                        const struct optim_space *space, uint64_t seed, struct err *err)
{
    *search = (struct search){.method = method};
    return method->make(space, seed, &search->state, err);
}

void search_release(struct search *search)
{
    if (search->method != NULL)
        search->method->release(search->state);
    *search = (struct search){.method = NULL};
}

void search_add_fact(struct search_report *report, const char *name, double value)
{
    if (report->fact_count < SEARCH_FACTS_MAX)
        report->facts[report->fact_count++] = (struct search_fact){.name = name, .value = value};
}

/* ---- the Gaussian process ---- */

static enum status gp_make(const struct optim_space *space, uint64_t seed, void **out, struct err *err)
{
    struct optim *optim = NULL;
    enum status status = optim_new(space, seed, &optim, err);
    *out = optim;
    return status;
}

static void gp_release(void *state)
{
    optim_free(state);
}

static enum status gp_tell(void *state, const double *point, double value, struct err *err)
{
    return optim_tell(state, point, value, err);
}

static enum status gp_suggest(void *state, const struct optim_question *question, double *out_point,
                              struct search_report *report, struct err *err)
{
    *report = (struct search_report){.has_model = false};
    TRY(optim_suggest(state, question, out_point, &report->model, err));
    report->phase = optim_phase_name(report->model.phase);
    report->exhausted = report->model.phase == OPTIM_EXHAUSTED;
    report->has_model = report->model.phase == OPTIM_MODEL;
    return STATUS_OK;
}

/* What it was told is counted by whoever tells it. */
static size_t gp_bytes(const void *state)
{
    (void)state;
    return 0;
}

const struct search_method search_gp = {
    .name = "gp",
    .make = gp_make,
    .release = gp_release,
    .tell = gp_tell,
    .suggest = gp_suggest,
    .bytes = gp_bytes,
};
