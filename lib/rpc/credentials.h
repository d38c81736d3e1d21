/*
 * Credentials of servers and channels, and who the peer of a call is.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_CREDENTIALS_H
#define BESOM_RPC_CREDENTIALS_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "rpc/client.h"
#include "rpc/server.h"

#define CREDENTIALS_NAME_MAX 256
#define CREDENTIALS_TOKEN_MAX 4096

bool credentials_is_unix(const char *address);

/* Of one address; stays where it is while the server lives. */
struct server_credentials {
    grpc_server_credentials *core; /* owned */
    struct tls_files *files;       /* NULL = certificates that never change */
    uint64_t generation;           /* of the files that handshakes use, 0 = none yet; under the core's lock */
};

/* TLS as `tls` says, plaintext without a certificate. INVALID. */
enum status credentials_server(const struct rpc_tls *tls, struct server_credentials *out,
                               struct err *err) MUST_USE;
void credentials_server_clear(struct server_credentials *credentials);

/* Release with grpc_channel_credentials_release. `generation` becomes that of the options' files, when they
 * are what is used. INVALID, DENIED (a token over plain TCP). */
enum status credentials_channel(const struct rpc_channel_options *options, uint64_t *generation,
                                grpc_channel_credentials **out, struct err *err) MUST_USE;

/* Copies the bearer token of the metadata. False when there is none or it is too long. */
bool credentials_token(const grpc_metadata_array *metadata, char out[CREDENTIALS_TOKEN_MAX]);

/* Copies the common name of the peer's verified certificate. False when there is none. */
bool credentials_peer_name(grpc_call *call, char out[CREDENTIALS_NAME_MAX]);

#endif
