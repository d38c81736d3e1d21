/*
 * Values as Python prints them: str() for command lines, json.dumps() for
 * ${args_json}. Pure. What Unicode calls unprintable is known by ranges, not by
 * the whole database: unassigned code points are printed as they are.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_CLIENT_PYTHON_TEXT_H
#define BESOM_CLIENT_PYTHON_TEXT_H

#include <jansson.h>

#include "base/buffer.h"

/* repr(): 'a', 1e-05, True, None, {'a': [1]}. */
void python_repr(struct buffer *out, const json_t *value);

/* str(): as repr(), but a string stands for itself. */
void python_str(struct buffer *out, const json_t *value);

/* json.dumps(): ", " and ": ", ASCII only. */
void python_json(struct buffer *out, const json_t *value);

/* repr() of a float: the shortest digits that read back as the same number. */
void python_float(struct buffer *out, double value);

#endif
