/*
 * libyaml's errors in plain words, at their places. Private to lib/spec.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_YAML_PROBLEM_H
#define BESOM_SPEC_YAML_PROBLEM_H

#include <yaml.h>

#include "spec/node.h"

struct place yaml_problem_place(yaml_mark_t mark);

/* Reports why the parser stopped; lack of memory goes to the reader. */
void yaml_problem_report(struct reader *reader, const yaml_parser_t *parser, const char *bytes,
                         size_t length);

#endif
