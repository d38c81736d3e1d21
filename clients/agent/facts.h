/*
 * Facts that wait for their batch: what the command said of its run once. Of a
 * kind and name the newest counts. Not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_FACTS_H
#define BESOM_AGENT_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "name_table.h"

#define FACTS_MAX 10000 /* kinds and names of one attempt */
#define FACT_NAME_MAX 256
#define FACT_VALUE_MAX (64 << 10)

/* Numbers of besom.v1.FactKind. */
enum fact_kind { FACT_SUMMARY = 1, FACT_DEFINITION = 2, FACT_CONFIG = 3, FACT_ABOUT = 4 };

struct fact {
    enum fact_kind kind;
    char *value_json; /* owned; NULL = nothing waits */
    size_t length;
    bool listed;
};

/* Zeroed = empty. */
struct facts {
    struct name_table names; /* the kind as a letter, then the name */
    struct fact *facts;      /* owned; one for each name */
    size_t *waiting;         /* owned; numbers of those that wait, and of some that do no more */
    size_t waiting_count;
    size_t capacity;         /* of both */
    size_t summaries, bytes; /* waiting entries of the summary; bytes of all that waits */
};

/* INVALID: too many names, or too long; then it is not taken. */
enum status facts_put(struct facts *facts, enum fact_kind kind, const char *name, const char *value_json,
                      struct err *err) MUST_USE;

/* The metric of this name was logged: an entry of the summary that waits counts no more. */
void facts_drop_summary(struct facts *facts, const char *name, size_t length);

/* Name of the i-th number in `waiting`. */
const char *facts_name(const struct facts *facts, size_t index);

/* The first `count` of `waiting` were written. */
void facts_forget(struct facts *facts, size_t count);
void facts_free(struct facts *facts);

#endif
