/*
 * One configuration value: text to the type of its key, bounds included, and
 * into the caller's struct. Internal to lib/base; knows nothing of where the
 * text came from, the caller adds that.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_CONFIG_VALUE_H
#define BESOM_BASE_CONFIG_VALUE_H

#include "base/config.h"

/* Sets the key's field of `out`. A list grows by one. `text` must outlive `out`. INVALID, NO_MEMORY. */
enum status config_value_set(const struct config_key *key, const char *text, struct arena *arena, void *out,
                             struct err *err) MUST_USE;

/* As config_value_set, with a list's `text` split at commas. */
enum status config_value_set_all(const struct config_key *key, const char *text, struct arena *arena,
                                 void *out, struct err *err) MUST_USE;

/* NULL, 0, false or empty. */
void config_value_clear(const struct config_key *key, void *out);

#endif
