/*
 * besom-scheduler --stdio: early stopping of runs whose histories come as JSON
 * lines, without server or database.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_STDIO_H
#define BESOM_SERVICES_SCHEDULER_STDIO_H

#include <stdio.h>

#include "base/err.h"

/* Serves until quit or the end of the input. IO. */
enum status scheduler_stdio(FILE *in, FILE *out, struct err *err) MUST_USE;

#endif
