/*
 * Threads that work with the models of sweeps, and the models between two
 * jobs. A sweep has one job at a time, so a sweep with many or slow jobs takes
 * one thread and leaves the others to other sweeps; jobs begin in the order in
 * which they came. Jobs that are aside leave a thread to the others, if there are
 * two. Models are bounded by bytes, least recently used out first;
 * those at work stay.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_MODELS_H
#define BESOM_SERVICES_SUGGESTION_MODELS_H

#include "services/suggestion/model.h"

struct models;

struct models_options {
    struct model_source source; /* what it points to must outlive the models */
    int threads;
    size_t bytes_max;
};

/* Lives until `run` is called, which may end it. */
struct model_job {
    const char *sweep_id; /* or another key */
    bool aside;           /* it may take long, and no agent waits for it */
    void (*run)(struct model_job *job, struct model *model, const struct model_source *source);
    const char *request;           /* of the models: log_request of who submitted it */
    struct model_job *next, *prev; /* of the models */
};

/* IO, NO_MEMORY. */
enum status models_new(const struct models_options *options, struct models **out, struct err *err) MUST_USE;
/* Waits for all jobs. NULL is fine. */
void models_free(struct models *models);

/* Runs the job on one of the threads. Any thread, never blocks for long. NO_MEMORY. */
enum status models_submit(struct models *models, struct model_job *job, struct err *err) MUST_USE;

/* How many are kept now. */
size_t models_count(struct models *models);
/* Sets the gauges; a collector of metrics, its context the models. */
void models_measure(void *models);

#endif
