/*
 * Short identifiers of sweeps, runs and agents: lower-case letters and digits,
 * eight for what people type.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_ID_H
#define BESOM_BASE_ID_H

#include <stdbool.h>

#include "base/random.h"

#define ID_LENGTH 8
#define ID_SIZE (ID_LENGTH + 1)

/* Writes a fresh id, nul-terminated. */
void id_make(const struct random_source *source, char out[ID_SIZE]);

/* True for exactly ID_LENGTH characters of [0-9a-z]. */
bool id_is_valid(const char *text);

#endif
