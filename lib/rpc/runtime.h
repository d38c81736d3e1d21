/*
 * Process-wide start and end of the gRPC core.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_RUNTIME_H
#define BESOM_RPC_RUNTIME_H

/* Before the first server or channel. May be called again. Blocks SIGTERM/SIGINT for nobody: signals are the caller's. */
void rpc_runtime_init(void);

/*
 * After everything was freed. The core's own shutdown can stall for many seconds after large messages, so a
 * process that is about to exit need not call this; tests under a leak checker do.
 */
void rpc_runtime_shutdown(void);

#endif
