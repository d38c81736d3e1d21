/*
 * What run_line.c hands to those who take one kind of line each. `line` is the
 * whole object, `value` what stands at the key that decided.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_RUN_VERBS_H
#define BESOM_AGENT_RUN_VERBS_H

#include <jansson.h>

#include "run_line.h"

enum status run_take_summary(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err);
enum status run_take_config(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err);
enum status run_take_about(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err);
enum status run_take_definition(json_t *line, json_t *value, const struct run_line_sink *sink,
                                struct err *err);

/* Hands one fact of any JSON type to the sink. Other errors than the first are not told: `*first` keeps it.
 */
void run_emit_fact(const struct run_line_sink *sink, enum fact_kind kind, const char *name,
                   const json_t *value, enum status *first, struct err *err);

#endif
