/*
 * The way to the database for handlers, stream callbacks and claims, which
 * must not be held up: while the database is known to be away, one transaction
 * at a time finds out whether it is back, and the others are refused at once,
 * so that workers stay free for what needs no database (health, parking,
 * shutdown). Groups and tickers wait for it on threads of their own and go
 * past the gate. Thread-safe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_GATE_H
#define BESOM_CONTROLLER_GATE_H

#include "db/store/store.h"

struct gate;

/* The store must outlive it. NO_MEMORY. */
enum status gate_new(struct store *store, struct gate **out, struct err *err) MUST_USE;
void gate_free(struct gate *gate);

/* As store_transaction and store_read; UNAVAILABLE at once when refused. */
enum status gate_transaction(struct gate *gate, struct arena *arena, store_work *work, void *context,
                             struct err *err) MUST_USE;
enum status gate_read(struct gate *gate, struct arena *arena, store_work *work, void *context,
                      struct err *err) MUST_USE;

#endif
