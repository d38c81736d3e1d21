/*
 * Values that stand in a filter. Private to filter.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_FILTER_LITERAL_H
#define BESOM_CLI_FILTER_LITERAL_H

#include "filter_lexer.h"

/* The value of the current token, a word or a text, as the field (NULL: none) takes it. out->text is its
 * spelling. */
enum status filter_literal_read(const struct filter_lexer *lexer, const struct filter_field *field,
                                int64_t now_us, struct value *out, struct err *err) MUST_USE;

#endif
