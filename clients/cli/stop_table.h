/*
 * An early-stopping rule as people read it: what it asks of a run, and the
 * rows at which it asks. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STOP_TABLE_H
#define BESOM_CLI_STOP_TABLE_H

#include "base/buffer.h"
#include "spec/spec.h"
#include "table.h"

/* "hyperband", "asha", "median". */
const char *stop_type_name(enum stop_type type);
/* "asha, min_iter 1, max_iter 81, eta 3": the type with what it goes by. */
void stop_rule_name(const struct stop_config *config, struct buffer *out);
/* What the rule asks at a band, whom it spares; lines of text without their break. */
void stop_rule_words(const struct stop_config *config, struct buffer *out);
/* Of the column of bands: ROWS, or the unit in capitals. */
const char *stop_band_head(const struct stop_config *config, char head[STOP_UNIT_SIZE]);
/* Appends the words and a table of the first bands; nothing for a rule without bands. */
void stop_table_format(struct arena *arena, const struct stop_config *config, const struct screen *screen,
                       struct buffer *out);
/* The same to stdout, when the sweep has a rule. */
void stop_table_print(struct arena *arena, const struct spec *spec);

#endif
