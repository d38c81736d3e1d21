/*
 * SIGTERM and SIGINT as values that the main thread waits for.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_SIGNALS_H
#define BESOM_SERVICES_COMMON_SIGNALS_H

#include <stdint.h>

/* Blocks SIGTERM and SIGINT in this thread and those that it starts, ignores SIGPIPE. */
void signals_block(void);

/* The signal that came, 0 when none did within timeout_ms (< 0: no bound). */
int signals_wait(int64_t timeout_ms);

/* From now on SIGTERM and SIGINT end the process at once. */
void signals_release(void);

#endif
