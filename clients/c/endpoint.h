/*
 * Where the controller is and how to prove who we are: options first, then
 * environment, then the files that `besom up` leaves under BESOM_HOME.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_CLIENT_ENDPOINT_H
#define BESOM_CLIENT_ENDPOINT_H

#include <besom/client.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "rpc/client.h"

/* Fills `out`; its texts live in the arena, the environment or `options`, its files are the caller's, after a
 * failure, too. INVALID, UNAVAILABLE (no address), IO. */
enum status endpoint_resolve(const besom_client_options *options, struct arena *arena,
                             struct rpc_channel_options *out, struct err *err) MUST_USE;

#endif
