// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/service_metrics.h"

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define METHODS_MAX 96

/* ---- the table ---- */

static const char *method_names[METHODS_MAX];
static struct metric_label method_label = {.name = "method", .values = method_names, .room = METHODS_MAX};
/* By gRPC's number. */
static const struct metric_label code_label = METRIC_LABEL(
    "code", "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED");
static const struct metric_label version_label = METRIC_LABEL("version", BESOM_VERSION);
static const struct metric_label connection_label = METRIC_LABEL("state", "open", "busy");
enum { CONNECTION_OPEN, CONNECTION_BUSY };
static const struct metric_label kind_label = METRIC_LABEL("kind", "read", "write");

struct metric service_metrics[SERVICE_METRIC_COUNT] = {
    [SERVICE_BUILD_INFO] = {.name = "besom_build_info",
                            .type = METRIC_GAUGE,
                            .labels = {&version_label},
                            .help = "Always 1; the version is a label."},
    [SERVICE_READY] = {.name = "besom_ready",
                       .type = METRIC_GAUGE,
                       .help = "1 while the service serves, 0 while /readyz gives a reason why not."},
    [SERVICE_RPC_REQUESTS] = {.name = "besom_rpc_requests_total",
                              .type = METRIC_COUNTER,
                              .labels = {&method_label, &code_label},
                              .sparse = true,
                              .help = "Calls and streams that ended, by method and gRPC status."},
    [SERVICE_RPC_DURATION] = {.name = "besom_rpc_request_duration_seconds",
                              .type = METRIC_HISTOGRAM,
                              .labels = {&method_label},
                              .sparse = true,
                              METRIC_LATENCY,
                              .help =
                                  "From a unary call's arrival to its answer; AcquireRun waits on purpose."},
    [SERVICE_RPC_IN_FLIGHT] = {.name = "besom_rpc_in_flight_requests",
                               .type = METRIC_GAUGE,
                               .labels = {&method_label},
                               .help = "Unary calls that are not answered yet, parked ones too."},
    [SERVICE_RPC_OPEN_STREAMS] = {.name = "besom_rpc_open_streams",
                                  .type = METRIC_GAUGE,
                                  .labels = {&method_label},
                                  .help = "Streams that are open."},
    [SERVICE_RPC_REFUSED] = {.name = "besom_rpc_refused_total",
                             .type = METRIC_COUNTER,
                             .help = "Calls refused because too many were open."},
    [SERVICE_CERTIFICATE_END] = {.name = "besom_tls_certificate_end_timestamp_seconds",
                                 .type = METRIC_GAUGE,
                                 .help = "When the certificate that was read last ends; 0 without TLS."},
    [SERVICE_DATABASE_UP] = {.name = "besom_database_up",
                             .type = METRIC_GAUGE,
                             .help = "1 when the last look at the database, once a second, found it."},
    [SERVICE_DATABASE_CONNECTIONS] = {.name = "besom_database_connections",
                                      .type = METRIC_GAUGE,
                                      .labels = {&connection_label},
                                      .help = "Connections of the pool that are open, and those in use."},
    [SERVICE_DATABASE_POOL_SIZE] = {.name = "besom_database_pool_size",
                                    .type = METRIC_GAUGE,
                                    .help = "Most connections that the pool may have."},
    [SERVICE_DATABASE_CONNECTED] = {.name = "besom_database_connects_total",
                                    .type = METRIC_COUNTER,
                                    .help = "Connections that were opened, again after losses."},
    [SERVICE_DATABASE_WAIT] = {.name = "besom_database_wait_seconds",
                               .type = METRIC_HISTOGRAM,
                               METRIC_LATENCY,
                               .help = "Wait of a transaction for a free connection."},
    [SERVICE_DATABASE_DURATION] = {.name = "besom_database_transaction_duration_seconds",
                                   .type = METRIC_HISTOGRAM,
                                   .labels = {&kind_label},
                                   METRIC_LATENCY,
                                   .help = "A transaction with its waits and all its tries."},
    [SERVICE_DATABASE_RETRIES] = {.name = "besom_database_retries_total",
                                  .type = METRIC_COUNTER,
                                  .help = "Tries after a conflict or a lost connection."},
    [SERVICE_DATABASE_FAILURES] = {.name = "besom_database_failures_total",
                                   .type = METRIC_COUNTER,
                                   .help = "Transactions that the database failed for good."},
    [SERVICE_CPU] = {.name = "process_cpu_seconds_total",
                     .type = METRIC_COUNTER,
                     .unit = 1e-6,
                     .help = "Processor time, user and system."},
    [SERVICE_RESIDENT] = {.name = "process_resident_memory_bytes",
                          .type = METRIC_GAUGE,
                          .help = "Resident memory."},
    [SERVICE_OPEN_FDS] = {.name = "process_open_fds", .type = METRIC_GAUGE, .help = "Open file descriptors."},
    [SERVICE_MAX_FDS] = {.name = "process_max_fds",
                         .type = METRIC_GAUGE,
                         .help = "Most file descriptors that may be open."},
    [SERVICE_START_TIME] = {.name = "process_start_time_seconds",
                            .type = METRIC_GAUGE,
                            .unit = 1e-6,
                            .help = "When the process started, since the epoch."},
};

/* ---- RPCs ---- */

struct observed {
    size_t method;
    bool stream;
};

static struct observed observed[METHODS_MAX];

static void *observe_method(void *context, const struct rpc_method *method)
{
    (void)context;
    const char *name = method != NULL ? method->path + 1 : "unknown";
    size_t index = metrics_add_value(&method_label, method_names, name);
    observed[index] = (struct observed){index, method != NULL && method->kind != RPC_UNARY};
    return &observed[index];
}

static struct metric *open_gauge(const struct observed *of)
{
    return &service_metrics[of->stream ? SERVICE_RPC_OPEN_STREAMS : SERVICE_RPC_IN_FLIGHT];
}

static void rpc_begun(void *handle)
{
    const struct observed *of = handle;
    metric_add(open_gauge(of), of->method, 1);
}

static void rpc_ended(void *handle, enum status code, int64_t duration_us)
{
    const struct observed *of = handle;
    struct metric *requests = &service_metrics[SERVICE_RPC_REQUESTS];
    metric_add(open_gauge(of), of->method, -1);
    metric_add(requests, METRIC_SERIES(requests, of->method, status_info(code)->grpc), 1);
    if (!of->stream)
        metric_observe(&service_metrics[SERVICE_RPC_DURATION], of->method, duration_us);
}

const struct rpc_observer service_rpc_observer = {observe_method, rpc_begun, rpc_ended, NULL};

/* ---- database ---- */

static void store_waited(void *context, int64_t wait_us)
{
    (void)context;
    metric_observe(&service_metrics[SERVICE_DATABASE_WAIT], 0, wait_us);
}

static void store_done(void *context, bool read_only, enum status status, int64_t duration_us)
{
    (void)context;
    (void)status;
    metric_observe(&service_metrics[SERVICE_DATABASE_DURATION], read_only ? 0 : 1, duration_us);
}

const struct store_observer service_store_observer = {store_waited, store_done, NULL};

/* ---- what is read when asked ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct rpc_server *watched_server; /* lock */
static struct store *watched_store;             /* lock */
static struct tls_files *watched_tls;           /* lock */

void service_metrics_watch(const struct rpc_server *server, struct store *store, struct tls_files *tls)
{
    pthread_mutex_lock(&lock);
    watched_server = server;
    watched_store = store;
    watched_tls = tls;
    pthread_mutex_unlock(&lock);
}

static void set(size_t metric, int64_t value)
{
    metric_set(&service_metrics[metric], 0, value);
}

static void read_store(struct store *store)
{
    struct store_stats stats = store_stats(store);
    struct metric *connections = &service_metrics[SERVICE_DATABASE_CONNECTIONS];
    metric_set(connections, CONNECTION_OPEN, stats.open);
    metric_set(connections, CONNECTION_BUSY, stats.busy);
    set(SERVICE_DATABASE_POOL_SIZE, stats.size);
    set(SERVICE_DATABASE_CONNECTED, (int64_t)stats.connected);
    set(SERVICE_DATABASE_RETRIES, (int64_t)stats.retries);
    set(SERVICE_DATABASE_FAILURES, (int64_t)stats.failures);
}

static int64_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = 0;
    if (folder == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    closedir(folder);
    return count - 1; /* the folder itself */
}

static int64_t resident_bytes(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    const char *pages = fgets(text, sizeof text, file) != NULL ? strchr(text, ' ') : NULL;
    fclose(file);
    return pages != NULL ? (int64_t)strtoll(pages, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t time_us(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

static void read_process(void)
{
    struct rusage usage;
    struct rlimit files;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        set(SERVICE_CPU, time_us(&usage.ru_utime) + time_us(&usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        set(SERVICE_MAX_FDS, files.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)files.rlim_cur);
    set(SERVICE_RESIDENT, resident_bytes());
    set(SERVICE_OPEN_FDS, count_descriptors());
}

static void collect(void *context)
{
    (void)context;
    pthread_mutex_lock(&lock);
    if (watched_server != NULL)
        set(SERVICE_RPC_REFUSED, (int64_t)rpc_server_stats(watched_server).refused);
    if (watched_store != NULL)
        read_store(watched_store);
    if (watched_tls != NULL)
        set(SERVICE_CERTIFICATE_END, tls_files_end_s(watched_tls));
    pthread_mutex_unlock(&lock);
    read_process();
}

enum status service_metrics_open(struct err *err)
{
    TRY(metrics_open(service_metrics, SERVICE_METRIC_COUNT, err));
    metrics_on_write(collect, NULL);
    set(SERVICE_BUILD_INFO, 1);
    set(SERVICE_START_TIME, clock_wall_us(&clock_system));
    return STATUS_OK;
}
