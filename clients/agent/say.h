/*
 * What the agent tells people: "besom: ..." lines on stderr, and the runs'
 * output on the terminal. Waits 0.1 s at most for a terminal that does not read:
 * then the line is dropped here (it is stored with the run all the same).
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_SAY_H
#define BESOM_AGENT_SAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

/* One line; "besom: " and the newline are added. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* Bytes of a run; `prefix` is put before each line unless NULL. *at_start says whether a line begins. */
void say_output(bool is_error, const char *prefix, const char *bytes, size_t length, bool *at_start);

/* The configuration, a line "\tname: value" each. */
void say_config(const char *params_json);

#endif
