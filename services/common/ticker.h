/*
 * A thread that runs one function every so often, or at once when woken. For
 * reconcilers, sweepers and checks in the background. The function never runs
 * twice at a time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_TICKER_H
#define BESOM_SERVICES_COMMON_TICKER_H

#include <stdint.h>

#include "base/err.h"

struct ticker;

typedef void ticker_work(void *context);

/* Runs `work` at once and then interval_ms after each end. `name` shows in ps, at most 15 characters. IO. */
enum status ticker_start(const char *name, int64_t interval_ms, ticker_work *work, void *context,
                         struct ticker **out, struct err *err) MUST_USE;

/* Runs `work` as soon as it can; wakes that come while it runs are served by one more run. Any thread. */
void ticker_wake(struct ticker *ticker);

/* Waits for a run that is under way, ends the thread and frees. NULL is fine. */
void ticker_stop(struct ticker *ticker);

#endif
