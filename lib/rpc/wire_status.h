/*
 * An error on the wire: gRPC status number, text, and google.rpc.Status in the
 * trailer "grpc-status-details-bin". Pure.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_WIRE_STATUS_H
#define BESOM_RPC_WIRE_STATUS_H

#include <grpc/grpc.h>
#include <stdint.h>

#include "base/err.h"

struct wire_status {
    grpc_slice text;           /* owned */
    grpc_slice details;        /* owned */
    grpc_metadata trailers[2]; /* the second one's value is owned */
};

/* Fills a GRPC_OP_SEND_STATUS_FROM_SERVER; retry_ms > 0 goes along as "grpc-retry-pushback-ms". `op` points
 * into `wire`, which must live until the batch was started. */
void wire_status_send(struct wire_status *wire, enum status code, const char *text, int64_t retry_ms,
                      grpc_op *op);
void wire_status_free(struct wire_status *wire);

/* The hint above in what a client received; 0 = none. */
int64_t wire_status_retry_ms(const grpc_metadata_array *trailers);

/* Fills `err` from what a client received; the text is the server's. */
enum status wire_status_read(grpc_status_code code, grpc_slice text, struct err *err);

#endif
