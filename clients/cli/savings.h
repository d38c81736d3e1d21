/*
 * What early stopping saved, in words and as JSON. Pure but for savings_read.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_SAVINGS_H
#define BESOM_CLI_SAVINGS_H

#include <besom/client.h>
#include <jansson.h>

#include "base/buffer.h"

/* What the controller knows of the sweep's stops; NULL when nothing was stopped, or when it cannot tell. The
 * caller's, to be freed with besom_message_free. */
Besom__V1__ListBandsResponse *savings_read(besom_client *client, const Besom__V1__Sweep *sweep);

/* "2h13m of run time spent", and what stopping saved when `savings` (may be NULL) has stopped runs. No line
 * break. */
void savings_format(const Besom__V1__Savings *savings, int64_t run_time_ms, struct buffer *out);
/* Its fields; `run_time_saved_ms` and `rows_saved` null while there is nothing to estimate from. null for
 * NULL. */
json_t *savings_json(const Besom__V1__Savings *savings);

#endif
