/*
 * What the parts of libbesom share: the client behind its opaque type and the
 * way from the project's errors to the public ones. Not installed.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_CLIENT_INTERNAL_H
#define BESOM_CLIENT_INTERNAL_H

#include <besom/client.h>

#include "base/err.h"
#include "rpc/client.h"

struct besom_client {
    struct rpc_channel *channel; /* owned */
    struct tls_files *files;     /* owned, NULL = none; the channel's */
    char *address;               /* owned */
    int64_t timeout_ms;
};

/* Around every callback of the caller's. All of them share the library's event thread, where nobody may wait
 * for another of them. */
void callback_enter(void);
void callback_leave(void);
/* This thread is inside a callback. */
bool callback_is_running(void);

/* Copies code and text; `error` may be NULL. Returns the code. */
besom_status error_export(besom_error *error, const struct err *err);

/* Sets code and text; `error` may be NULL. Returns the code. */
besom_status error_set(besom_error *error, enum status code, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
