/*
 * From what a person types to what an RPC about a run needs: both ids.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RESOLVE_H
#define BESOM_CLI_RESOLVE_H

#include <besom/client.h>

#include "connection.h"

/* Opens the client and reads the run named by `text`; an error has been printed. *run is the caller's. */
int resolve_run(const struct connection_options *options, const char *text, besom_client **client,
                Besom__V1__GetRunResponse **run) MUST_USE;

/* Opens the client and checks the sweep's id. */
int resolve_sweep(const struct connection_options *options, const char *text, besom_client **client,
                  const char **sweep_id) MUST_USE;

/* Reads a sweep; an error has been printed. *out is the caller's, with a sweep in it. */
int resolve_read(besom_client *client, const char *sweep_id, Besom__V1__GetSweepResponse **out) MUST_USE;

/* Opens the client and reads the sweep named by `text`, as resolve_run does a run. */
int resolve_whole_sweep(const struct connection_options *options, const char *text, besom_client **client,
                        Besom__V1__GetSweepResponse **out) MUST_USE;

/* protobuf-c's fields are not const; requests are only read. */
char *message_text(const char *text);

#endif
