/*
 * Runs of a sweep that a person asks for: by state, by filter, by order. Reads
 * page by page and tells on a terminal how far it is.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RUN_QUERY_H
#define BESOM_CLI_RUN_QUERY_H

#include "connection.h"
#include "filter.h"
#include "run_view.h"

struct run_query_options {
    const char *filter;        /* NULL = all */
    struct config_list states; /* none = all but those never handed out */
    int64_t limit;             /* 0 = no limit */
};

#define RUN_FILTER_KEY(Options)                                                                         \
    {                                                                                                   \
        .name = "filter", .type = CONFIG_TEXT, .offset = offsetof(Options, query.filter),               \
        .value_name = "EXPR",                                                                           \
        .help = "only runs for which this holds, such as 'val_loss < 0.3 and optimizer in (adam, sgd)'" \
    }
#define RUN_STATE_KEY(Options)                                                             \
    {                                                                                      \
        .name = "state", .type = CONFIG_LIST, .offset = offsetof(Options, query.states),   \
        .value_name = "STATE", .help = "only runs in this state; several joined by commas" \
    }

/* What a filter's help tells below the options. */
#define RUN_FILTER_HELP                                                                                      \
    "Filters: NAME == VALUE, also != < <= > >=, ~ and !~ (extended regular expressions), NAME in (A, B), "   \
    "NAME\n"                                                                                                 \
    "alone; joined by and, or, not and ( ). A NAME is a field of the run, else a parameter, else an entry "  \
    "of its\n"                                                                                               \
    "summary or the last value of a metric (loss.min, max, mean, first, count: its figures); params.x, "     \
    "summary.x,\n"                                                                                           \
    "config.x and run.x say which. Fields: id, name, state, ordinal, objective, runtime, attempt, created, " \
    "started,\n"                                                                                             \
    "ended, host, agent_id, end_reason, exit_code, signal, error_text, result_number, unreachable, tags, "   \
    "notes.\n"                                                                                               \
    "Odd names stand in `...`, texts with spaces in '...' or \"...\". What a run has not compares false, "   \
    "with != true;\n"                                                                                        \
    "null is what it has not."

struct run_query {
    struct cli *cli;
    besom_client *client;
    const struct run_query_options *options;
    const char *command;   /* for messages */
    struct filter *filter; /* owned */
    Besom__V1__ListRunsRequest request;
    Besom__V1__RunState states[16];
    int64_t left;     /* of the limit; below 0 = none */
    json_t *names;    /* owned; what some of the runs have, for "did you mean" */
    size_t looked_at; /* runs in `names` */
    bool whole;       /* read runs again that a list may show in part, also without a filter */
    bool quiet;       /* no progress: the visitor tells of its own */
};

/* Checks filter and states; an error has been printed. Needs no server. */
int run_query_prepare(struct cli *cli, const char *command, const struct run_query_options *options,
                      struct run_query *out) MUST_USE;
/* Usable as CLEANUP. */
void run_query_release(struct run_query *query);

/* Called for each run in order; an exit code other than CLI_OK ends it. What it leaves in the view is
 * released. */
typedef int run_query_visit(void *context, struct run_view *view);
/* Visits the sweep's runs that match, at most `limit`. May be called again. */
int run_query_each(struct run_query *query, besom_client *client, const char *sweep_id,
                   run_query_visit *visit, void *context) MUST_USE;
/* A list leaves out what is much of a run's summary and configuration. Reads the run again when that may be:
 * `bound` is the bytes of a summary from which on it may; the view is then of *whole, which is the caller's,
 * else NULL. */
int run_query_whole(besom_client *client, struct run_view *view, size_t bound,
                    Besom__V1__GetRunResponse **whole) MUST_USE;
/* For a filter: where entries are surely left out. */
#define RUN_WHOLE_FOR_FILTER (48u << 10)
/* For the names of its metrics. */
#define RUN_WHOLE_FOR_NAMES (1u << 30)
/* For what must be exact: unless an entry is larger than 60 KiB. */
#define RUN_WHOLE_FOR_EXPORT (4u << 10)

/* Says on stderr which name of the filter no run has had. */
void run_query_note_unknown(const struct run_query *query);

/* A list of runs that stay. */
struct run_list {
    void **messages; /* owned: pages, and runs that were read whole */
    size_t message_count, message_capacity;
    struct run_view *views; /* owned */
    size_t count, capacity;
};

/* As run_query_each into a list. */
int run_query_collect(struct run_query *query, besom_client *client, const char *sweep_id,
                      struct run_list *out) MUST_USE;
/* Usable as CLEANUP. */
void run_list_release(struct run_list *list);

#endif
