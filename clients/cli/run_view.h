/*
 * A run as filters, sorting and columns see it: its fields as a table, and its
 * parameters, configuration and summary under one way of naming them. Pure but for the clock by which live
 * runs last.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RUN_VIEW_H
#define BESOM_CLI_RUN_VIEW_H

#include <besom/v1/types.pb-c.h>
#include <jansson.h>

#include "filter.h"

struct run_view {
    const Besom__V1__Run *run;                /* borrowed */
    json_t *params, *config, *summary, *tags; /* owned; parsed when first needed */
};

/* How a field is told to people. */
enum run_shown { RUN_SHOWN_PLAIN, RUN_SHOWN_STATE, RUN_SHOWN_DURATION, RUN_SHOWN_AGO, RUN_SHOWN_PARAMS };

struct run_field {
    struct filter_field base;
    const char *title; /* heading of its column */
    enum run_shown shown;
    bool right;
    struct value (*get)(struct run_view *view);
};

/* By its name or another one that it goes by; NULL when it is none. */
const struct run_field *run_field_find(const char *name);
/* The same as a filter wants it. */
const struct filter_field *run_filter_field(const char *name);

/* Drops what was parsed. Usable as CLEANUP. */
void run_view_release(struct run_view *view);

/* Objects, perhaps empty; borrowed. */
const json_t *run_view_params(struct run_view *view);
const json_t *run_view_config(struct run_view *view);
const json_t *run_view_summary(struct run_view *view);

/* Puts the dotted names of what in an object is no object into the keys of `all`. `name` is empty, for work.
 */
void run_view_add_names(json_t *all, const json_t *object, struct buffer *name);

/* What a name means of this run: its field, else its parameter, else its summary's entry, else the last value
 * of its metric, or a figure of it (NAME.min, max, mean, first, last, count). `context` is the view: this is
 * a filter_get. */
struct value run_view_get(void *context, const struct filter_name *name);

/* A run's time by the wall: until now when it lives. */
int64_t run_time_ms(const Besom__V1__Run *run, int64_t now_us);

#endif
