/*
 * One table drives configuration: each row is a setting with its flag,
 * environment variable, default and help, and names the field that it fills.
 * Precedence: flag, then environment (an empty variable counts as unset), then
 * file (`key = value` lines, # comments, "quotes" around what needs them), then
 * default; a list from one level replaces that of the levels below. The same
 * parser serves services, agent and the CLI's commands. No global state.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_CONFIG_H
#define BESOM_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"

enum config_type {
    CONFIG_TEXT,        /* const char *; in the arena, or the default itself, or NULL */
    CONFIG_INT,         /* int64_t, within min..max */
    CONFIG_REAL,        /* double */
    CONFIG_BOOL,        /* bool; flag alone means true, --no-NAME false */
    CONFIG_DURATION_MS, /* int64_t milliseconds; "250ms", "10s", "5m", "2h", "1d", bare number = seconds;
                           within min..max */
    CONFIG_SIZE,        /* int64_t bytes; "64k", "4M", "1G"; within min..max */
    CONFIG_LIST         /* struct config_list; each use of the flag, or line of the file, adds one;
                           variable and default are split at commas */
};

struct config_list {
    const char **items; /* in the arena */
    size_t count;
};

struct config_key {
    const char *name; /* long flag without dashes, and the key in a file: "lease-time" */
    char letter;      /* short flag, 0 = none */
    enum config_type type;
    size_t offset;           /* of the field in the caller's struct */
    const char *initial;     /* default as text; NULL: NULL, 0, false, empty */
    const char *environment; /* variable, NULL = none */
    const char *value_name;  /* shown in help: "FILE"; NULL for booleans */
    const char *help;        /* one sentence, no final stop */
    int64_t min, max;        /* for numbers; both 0 = no bound, max < min = no upper one */
};

struct config_command {
    const char *usage;   /* "besom-controller [options]" */
    const char *summary; /* what it does, a few lines */
    const struct config_key *keys;
    size_t key_count;
    const char *footer;      /* examples or notes, may be NULL */
    size_t arguments_min;    /* positional arguments */
    size_t arguments_max;    /* (size_t)-1 = any number */
    const char *config_flag; /* name of the key that names a configuration file; NULL = no file */
    bool stop_at_argument;   /* the first positional argument ends the flags (commands with subcommands) */
};

struct config_result {
    const char **arguments; /* positional ones, in the arena or argv */
    size_t argument_count;
    bool help;    /* --help or -h was given: nothing else was checked */
    bool version; /* --version was given */
};

/* Fills `out` (the struct that offsets refer to) from defaults, file, environment and argv[1..]. INVALID
 * names the flag, variable or file line that is wrong and says what would be right (with "did you mean"). */
enum status config_parse(const struct config_command *command, int argc, char *const argv[],
                         struct arena *arena, void *out, struct config_result *result,
                         struct err *err) MUST_USE;

/* Usage, summary, one line per key with default and environment variable, footer. */
void config_print_help(const struct config_command *command, FILE *stream);

/* "1500ms", "5m", "90" (seconds) → milliseconds. INVALID. */
enum status config_parse_duration(const char *text, int64_t *out_ms, struct err *err) MUST_USE;
enum status config_parse_size(const char *text, int64_t *out_bytes, struct err *err) MUST_USE;

/* The candidate nearest to `word` by edit distance when it is near enough to be meant, else NULL. */
const char *config_suggest(const char *word, const char *const *candidates, size_t count);

#endif
