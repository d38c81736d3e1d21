/*
 * Who waits for a run: parked AcquireRun callers by sweep, in order of
 * arrival. Fresh callers have not been looked up yet; the others wait for
 * something to change. One server thread at a time works on a sweep, and
 * sweeps take turns. Holds no thread and knows neither gRPC nor the database;
 * one lock guards everything.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_CLAIM_TABLE_H
#define BESOM_CONTROLLER_CLAIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"

#define CLAIM_AGENT_MAX 16
#define CLAIM_REASON_MAX 160

struct claim_sweep;

/* Owned by the table while parked, by whoever took it otherwise. */
struct claim_waiter {
    struct claim_waiter *next, *previous; /* of its sweep's list, or of what was taken */
    struct claim_waiter *bucket_next;     /* parked ones by call */
    struct claim_sweep *sweep;
    void *call;
    const bool *gone;    /* as in claim_caller */
    int64_t deadline_ms; /* monotonic */
    int64_t counter;
    int32_t slot;
    bool fresh;
    char agent_id[CLAIM_AGENT_MAX + 1];
};

/* Who calls, for what, and how long it waits. */
struct claim_caller {
    const char *sweep_id, *agent_id;
    int32_t slot;
    int64_t counter;
    void *call;
    bool *gone;          /* table's lock, lives as long as the call: the caller does not listen any more */
    int64_t deadline_ms; /* monotonic */
};

struct claim_list {
    struct claim_waiter *first, *last;
    size_t count;
};

struct claim_table;

/* NO_MEMORY. */
enum status claim_table_new(const struct clock *clock, struct claim_table **out, struct err *err) MUST_USE;
/* Nobody may be parked any more. */
void claim_table_free(struct claim_table *table);

/* Parks a caller. *replaced: an older parked caller with the same key, to be answered and freed, or NULL.
 * UNAVAILABLE after claim_table_close, CANCELLED when the caller is gone, NO_MEMORY. */
enum status claim_table_park(struct claim_table *table, const struct claim_caller *caller,
                             struct claim_waiter **replaced, struct err *err) MUST_USE;
/* The caller gave up, before it was parked or after: sets *gone. Takes it out when it is parked: free it.
 * NULL when it is not, is being served (claim_table_return gives it back then) or was answered. */
struct claim_waiter *claim_table_remove(struct claim_table *table, const void *call, bool *gone);

/* Callers parked in sweeps whose reason begins so. */
size_t claim_table_count_waiting(struct claim_table *table, const char *reason);

/* The sweep's waiting callers are worth another look; NULL = all. */
void claim_table_wake(struct claim_table *table, const char *sweep_id);

/* What there is to do for a server thread. */
struct claim_turn {
    struct claim_sweep *sweep;
    char sweep_id[ID_SIZE];
    struct claim_list fresh; /* taken out: look them up now */
    bool look;               /* others wait as well, and something changed: see whether there is a run */
};
/* Waits for work: true = *turn is this thread's until claim_table_end. False: closed. `expired` gets callers
 * whose deadline has passed (true is returned for them, too, with turn->sweep NULL). At least every poll_ms
 * every sweep is looked at. */
bool claim_table_begin(struct claim_table *table, size_t max, int64_t poll_ms, struct claim_turn *turn,
                       struct claim_list *expired);
/* Takes up to `max` of the longest waiting callers of the turn's sweep. */
struct claim_list claim_table_take(struct claim_table *table, struct claim_turn *turn, size_t max);
/* Parks them again; those whose deadline has passed expire next. Left in the list, to be answered and freed:
 * callers who are gone, and all after claim_table_close. */
void claim_table_return(struct claim_table *table, struct claim_turn *turn, struct claim_list *list);
void claim_table_end(struct claim_table *table, struct claim_turn *turn);

/* Why callers of the sweep wait. `closed`: nothing is handed out whatever happens (paused); those who wait
 * are told so at once, and those who come within the next minute after some seconds, the later the longer. */
void claim_table_set_reason(struct claim_table *table, struct claim_sweep *sweep, const char *reason,
                            bool closed);
/* The reason of those who wait now; "" when nobody does. */
void claim_table_get_reason(struct claim_table *table, const char *sweep_id, char out[CLAIM_REASON_MAX]);
/* Once for each expired caller, before it is freed: the reason at this moment. */
void claim_table_leave(struct claim_table *table, const struct claim_waiter *waiter,
                       char out[CLAIM_REASON_MAX]);

/* Wakes the server threads for good and hands out all who are parked. */
struct claim_list claim_table_close(struct claim_table *table);

/* Parked callers of the sweep, those being served included; NULL = all. */
size_t claim_table_count(struct claim_table *table, const char *sweep_id);

/* The next of a taken list, NULL at its end. */
struct claim_waiter *claim_list_pop(struct claim_list *list);
void claim_list_append(struct claim_list *list, struct claim_waiter *waiter);

#endif
