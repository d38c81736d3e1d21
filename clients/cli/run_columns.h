/*
 * Columns of a listing of runs, chosen by names, and the order of its rows.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RUN_COLUMNS_H
#define BESOM_CLI_RUN_COLUMNS_H

#include "cli.h"
#include "run_query.h"
#include "table.h"

/* Names of everything that some runs have, as keys of objects. */
struct run_leaves {
    json_t *params, *summary, *config; /* owned */
};

/* Adds what the run has. */
void run_leaves_add(struct run_leaves *leaves, struct run_view *view);
/* Usable as CLEANUP. */
void run_leaves_release(struct run_leaves *leaves);
/* The keys of one of them in order of the alphabet, in the arena; NULL without memory. */
const char **run_leaves_sorted(struct arena *arena, const json_t *names);

struct run_columns {
    struct filter_name *names; /* in the arena */
    size_t count;
};

/* "id,val_loss,params.*": the names of a filter; "params.*", "summary.*" and "config.*" stand for all. An
 * error has been printed. */
int run_columns_parse(struct cli *cli, const char *command, const char *text,
                      struct run_columns *out) MUST_USE;
/* What a listing shows by default: names and tags only where some run has one. */
int run_columns_default(struct cli *cli, const struct run_list *list, struct run_columns *out) MUST_USE;
/* Whether there is a "params.*" or the like. */
bool run_columns_have_patterns(const struct run_columns *columns);
/* Puts the names in place of "params.*" and the like, in order of the alphabet. */
int run_columns_expand(struct cli *cli, struct run_columns *columns,
                       const struct run_leaves *leaves) MUST_USE;

/* To stdout. */
void run_columns_print(struct cli *cli, const struct run_columns *columns, struct run_list *list);
/* An object for each run, by the names of the columns. New reference. */
json_t *run_columns_json(const struct run_columns *columns, struct run_list *list);
/* Says on stderr which column no run has. */
void run_columns_note_unknown(const struct run_columns *columns, struct run_list *list);

/* The cell of one run exactly: numbers as value_append, times in ISO 8601, tags joined by commas. False when
 * the run has no such value. */
bool run_columns_append(struct buffer *out, struct run_view *view, const struct filter_name *name);
/* The same as JSON: times are texts, a duration is seconds. New reference. */
json_t *run_columns_value(struct run_view *view, const struct filter_name *name);

/* Sorts by "KEY,-KEY,KEY:desc"; ties stay as they were, what is missing comes last either way. */
int run_list_sort(struct cli *cli, const char *command, const char *keys, struct run_list *list) MUST_USE;
/* Checks the keys before anything is read. */
int run_list_check_sort(struct cli *cli, const char *command, const char *keys) MUST_USE;

#endif
