/*
 * Time as an argument: code that waits or measures takes a `struct clock`, so
 * that tests can set the time. Wall time is microseconds since 1970 UTC,
 * monotonic time microseconds since an arbitrary start. Thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_CLOCK_H
#define BESOM_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>

struct clock {
    int64_t (*wall_us)(void *context);
    int64_t (*monotonic_us)(void *context);
    void *context;
};

/* The machine's clocks. */
extern const struct clock clock_system;

int64_t clock_wall_us(const struct clock *clock);
int64_t clock_monotonic_us(const struct clock *clock);
int64_t clock_monotonic_ms(const struct clock *clock);

/* A condition variable that clock_cond_wait can use. */
void clock_cond_init(pthread_cond_t *cond);

/* Waits at most timeout_ms on `cond` (made by clock_cond_init), `mutex` held. 0, or ETIMEDOUT. */
int clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t timeout_ms);

#endif
