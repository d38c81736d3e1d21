/*
 * Process-wide start and end of the gRPC core.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_RUNTIME_H
#define BESOM_RPC_RUNTIME_H

#include "base/err.h"

/*
 * Before the first server or channel (which also call it). May be called again. Blocks SIGTERM/SIGINT for
 * nobody: signals are the caller's, and threads started here inherit its mask. The core's messages go to the
 * log.
 */
void rpc_runtime_init(void);

/*
 * After everything was freed. The core's own shutdown can stall for many seconds after large messages, so a
 * process that is about to exit need not call this; tests under a leak checker do.
 */
void rpc_runtime_shutdown(void);

/*
 * Raises this process's limit of open files to the hardest one permitted. A server needs one for each
 * connection, silent ones included, and about 50 more. Children inherit it. IO.
 */
enum status rpc_runtime_raise_open_files(struct err *err) MUST_USE;

#endif
