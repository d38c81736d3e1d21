/*
 * What JSON may hold and YAML may not: characters beyond U+FFFF as two \u
 * escapes, which is how many programs write JSON. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_JSON_TEXT_H
#define BESOM_SPEC_JSON_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"

/* For JSON with such escapes: the same text with each pair as one \U escape of YAML, which is two characters
 * shorter: what follows on the line stands that much further left. False, and *out empty, for anything else.
 */
bool json_text_to_yaml(const char *bytes, size_t length, struct buffer *out);

#endif
