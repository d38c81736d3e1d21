/*
 * Regular expressions of a filter, bounded in what they cost to compile.
 * Private to filter.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_FILTER_PATTERN_H
#define BESOM_CLI_FILTER_PATTERN_H

#include <regex.h>

#include "base/err.h"

/* Compiles an extended regular expression of POSIX; to be given back with regfree. INVALID. */
enum status filter_pattern_compile(const char *text, regex_t *out, struct err *err) MUST_USE;

#endif
