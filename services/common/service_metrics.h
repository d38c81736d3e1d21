/*
 * What every service counts: its RPCs, its database pool, its process. Filled
 * by hooks of lib/rpc and db/store, and when metrics are written.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_SERVICE_METRICS_H
#define BESOM_SERVICES_COMMON_SERVICE_METRICS_H

#include "db/store/store.h"
#include "rpc/server.h"
#include "services/common/metrics.h"

enum {
    SERVICE_BUILD_INFO,
    SERVICE_READY,
    SERVICE_RPC_REQUESTS,
    SERVICE_RPC_DURATION,
    SERVICE_RPC_IN_FLIGHT,
    SERVICE_RPC_OPEN_STREAMS,
    SERVICE_RPC_REFUSED,
    SERVICE_CERTIFICATE_END,
    SERVICE_DATABASE_UP,
    SERVICE_DATABASE_CONNECTIONS,
    SERVICE_DATABASE_POOL_SIZE,
    SERVICE_DATABASE_CONNECTED,
    SERVICE_DATABASE_WAIT,
    SERVICE_DATABASE_DURATION,
    SERVICE_DATABASE_RETRIES,
    SERVICE_DATABASE_FAILURES,
    SERVICE_CPU,
    SERVICE_RESIDENT,
    SERVICE_OPEN_FDS,
    SERVICE_MAX_FDS,
    SERVICE_START_TIME,
    SERVICE_METRIC_COUNT
};
extern struct metric service_metrics[SERVICE_METRIC_COUNT];

/* Opens the table; figures of the process are read at each writing. One service per process. NO_MEMORY. */
enum status service_metrics_open(struct err *err) MUST_USE;

extern const struct rpc_observer service_rpc_observer;
extern const struct store_observer service_store_observer;

/* Whose figures to read; NULL = no more, or none. */
void service_metrics_watch(const struct rpc_server *server, struct store *store, struct tls_files *tls);

#endif
