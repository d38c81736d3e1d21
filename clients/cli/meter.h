/*
 * How far a long reading is: one line on stderr that is written over, on a
 * terminal only and not before a second has passed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_METER_H
#define BESOM_CLI_METER_H

#include <stdbool.h>
#include <stdint.h>

struct meter {
    const char *noun; /* "runs" */
    bool shows;
    int64_t count;
    int64_t next_us; /* when to write again */
    bool written;
};

struct meter meter_make(const char *noun);
void meter_add(struct meter *meter, int64_t count);
/* Takes the line away. */
void meter_end(struct meter *meter);

#endif
