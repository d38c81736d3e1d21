/*
 * besom-suggestion --stdio: ask and tell over JSON lines, one study at a time,
 * without server or database.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_STDIO_H
#define BESOM_SERVICES_SUGGESTION_STDIO_H

#include <stdio.h>

#include "base/err.h"

/* Serves until quit or the end of the input. IO. */
enum status suggestion_stdio(FILE *in, FILE *out, struct err *err) MUST_USE;

#endif
