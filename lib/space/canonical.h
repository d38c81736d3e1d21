/*
 * Two texts of a JSON value: the canonical one that stands for its identity,
 * and the compact one that is stored and sent. Both sort keys. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_CANONICAL_H
#define BESOM_SPACE_CANONICAL_H

#include <jansson.h>

#include "base/buffer.h"

/* Equal values give equal texts: 3.0 as 3, -0.0 as 0; true, 1 and "1" differ. */
void canonical_write_identity(struct buffer *out, const json_t *value);

/* As stored: reals stay reals. */
void canonical_write_json(struct buffer *out, const json_t *value);

#endif
