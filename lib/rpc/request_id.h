/*
 * The id of one call: what the client sent as "x-request-id", or one made
 * here. It is in every log line about the call, and goes along with the calls
 * that are made for it.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_REQUEST_ID_H
#define BESOM_RPC_REQUEST_ID_H

#include <grpc/grpc.h>

#include "rpc/server.h"

#define REQUEST_ID_KEY "x-request-id"

/* Copies the metadata's id, or makes one when there is none of 1 to RPC_REQUEST_ID_MAX characters of
 * [A-Za-z0-9._-]. */
void request_id_take(const grpc_metadata_array *metadata, char out[RPC_REQUEST_ID_MAX + 1]);

#endif
