/*
 * A controller in the test's own process, serving on a unix socket with a
 * real database, and a client of it. Suggestion and scheduler service are not
 * there. Everything fails the test when it fails.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_DB_CONTROLLER_FIXTURE_H
#define BESOM_TESTS_DB_CONTROLLER_FIXTURE_H

#include <besom/client.h>
#include <stdatomic.h>

#include "fixture.h"
#include "services/controller/controller.h"

#define AGENT "agent00000000000"
#define WORKERS 4

struct served {
    struct database *database;
    struct controller_options options;
    struct store *store; /* the controller's */
    struct controller controller;
    struct rpc_server *server;
    besom_client *client;
    char folder[64], address[96];
};

/* SWEEP with `runs` of metric "loss" and a band at every step of 1, 3, 9, ..., nothing left to suggest, and
 * AGENT with `slots`. Times in `options` that are 0 get their defaults. */
void served_start(struct served *served, struct database *database, int runs,
                  struct controller_options options);
/* Project and sweep that the callers' token is bound to, "" = none. Static texts. */
extern _Atomic(const char *) served_project, served_sweep;
/* The two halves of the end, and both. */
void served_shutdown(struct served *served, int64_t grace_ms);
void served_free(struct served *served);
void served_stop(struct served *served);
/* Another controller at the same address, after shutdown and served_end_controller; the client lives on. */
void served_end_controller(struct served *served);
void served_begin_controller(struct served *served);

/* What a process does in group setup and teardown. */
int served_begin_process(void **state);
int served_end_process(void **state);

/* Claims the next run in the slot, or fails. */
void served_acquire(struct served *served, int32_t slot, char run_id[9]);

/* A TrackRun stream and what came down on it. */
struct line {
    struct served *served;
    besom_stream *stream;
    char run_id[9];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t opened, acks, refusals, directives, closed; /* lock: how many */
    int64_t last_ack;                                   /* lock */
    besom_status end;                                   /* lock: when closed */
};
/* Opens the stream of a run's first attempt and waits until it is. */
void line_open(struct line *line, struct served *served, const char *run_id);
void line_free(struct line *line);
/* One row of "loss" and nothing else. */
void line_send_value(struct line *line, int64_t sequence, double value);
/* `length` bytes of output. */
void line_send_output(struct line *line, int64_t sequence, size_t length);
void line_send_alive(struct line *line);
/* Waits until *counter, a field of the line, is at least `value`. */
void line_await(struct line *line, const int64_t *counter, int64_t value);
int64_t line_read(struct line *line, const int64_t *counter);

/* An open transaction that has run `sql`, on a connection of its own; locks_release rolls it back. */
struct locks;
struct locks *locks_take(struct database *database, const char *sql);
void locks_release(struct locks *locks);
/* Nobody gets into the database, and who is in is thrown out; the server itself stays up. */
void database_cut(struct database *database);
void database_mend(struct database *database);
/* Waits until `count` sessions of the database wait for locks. */
void await_waiting(struct database *database, int count);
/* Waits until the query's number is `wanted`. */
void await_number(struct database *database, const char *sql, int64_t wanted);
/* Waits until this process has no thread of that name. */
void await_no_thread(const char *name);

#endif
