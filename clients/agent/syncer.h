/*
 * Writes files through to the disk on a thread of its own, for a loop that must not wait: on a busy disk that
 * takes seconds.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_SYNCER_H
#define BESOM_AGENT_SYNCER_H

#include <stdint.h>

struct syncer;

/* NULL without memory or thread. */
struct syncer *syncer_new(void);

/* Waits for what was asked for. */
void syncer_free(struct syncer *syncer);

/* What was written to `fd` until now is going to be written through; `number` tells files apart. The caller
 * may close `fd` at once. Does not wait: behind a disk that hangs a file may be passed over. */
void syncer_add(struct syncer *syncer, int fd, int64_t number);

/* Until everything that was asked for is done. */
void syncer_wait(struct syncer *syncer);

#endif
