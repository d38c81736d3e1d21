/*
 * The runs that a changing command is about: those named, or those of a sweep
 * for which a filter holds.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RUN_TARGETS_H
#define BESOM_CLI_RUN_TARGETS_H

#include "run_query.h"

struct run_targets {
    const Besom__V1__Run **runs; /* in the arena; borrowed from what follows */
    size_t count;
    struct run_list list;              /* owned */
    Besom__V1__GetRunResponse **found; /* owned items, array in the arena */
    size_t found_count;
};

/* With a filter or states in the query's options `ids` are sweeps, else runs; each run once. An error has
 * been printed. */
int run_targets_find(struct run_query *query, besom_client *client, const char *const *ids, size_t count,
                     struct run_targets *out) MUST_USE;
/* Usable as CLEANUP. */
void run_targets_release(struct run_targets *targets);
/* Whether the query chooses runs of sweeps. */
bool run_targets_are_chosen(const struct run_query_options *options);

/* A line's end: " aaaaaaaa bbbbbbbb and 7 more". */
void run_targets_append_ids(struct buffer *out, const char *const *ids, size_t count);

/* The words of lists that may be joined by commas, into the arena; empty ones are left out. False without
 * memory. */
bool split_list(struct arena *arena, const struct config_list *list, struct config_list *out) MUST_USE;

#endif
