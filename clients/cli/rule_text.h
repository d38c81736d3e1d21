/*
 * An early-stopping rule given on the command line: a file (a sweep file, or
 * early_terminate alone), the rule itself as YAML, or "none".
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RULE_TEXT_H
#define BESOM_CLI_RULE_TEXT_H

#include "spec/spec.h"

/* *out is the caller's and has a rule; NULL for "none". An exit code; an error
 * has been printed. */
int rule_text_read(const char *given, struct spec **out) MUST_USE;

#endif
