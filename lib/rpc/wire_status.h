/*
 * An error on the wire: gRPC status number, text, and google.rpc.Status in the
 * trailer "grpc-status-details-bin". Pure.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_WIRE_STATUS_H
#define BESOM_RPC_WIRE_STATUS_H

#include <grpc/grpc.h>

#include "base/err.h"

struct wire_status {
    grpc_slice text;    /* owned */
    grpc_slice details; /* owned */
    grpc_metadata trailer;
};

/* Fills a GRPC_OP_SEND_STATUS_FROM_SERVER. `op` points into `wire`, which must live until the batch was
 * started. */
void wire_status_send(struct wire_status *wire, enum status code, const char *text, grpc_op *op);
void wire_status_free(struct wire_status *wire);

/* Fills `err` from what a client received; the text is the server's. */
enum status wire_status_read(grpc_status_code code, grpc_slice text, struct err *err);

#endif
