// SPDX-License-Identifier: Apache-2.0
#include "rpc/runtime.h"

#include <errno.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "base/log.h"
#include "rpc/client_internal.h"

#ifdef EVENT_HAS_TSAN
/* The core is not instrumented, so its locks are not seen; event.h says what it hands from thread to thread.
 */
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1";
}
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool running; /* lock */

static void log_core(gpr_log_func_args *args)
{
    log_warn("grpc", "core_message", LOG_TEXT("text", args->message));
}

void rpc_runtime_init(void)
{
    pthread_mutex_lock(&lock);
    if (!running) {
        gpr_set_log_function(log_core);
        gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
        grpc_init();
        running = true;
    }
    pthread_mutex_unlock(&lock);
}

void rpc_runtime_shutdown(void)
{
    pthread_mutex_lock(&lock);
    if (running) {
        client_loop_stop();
        grpc_shutdown_blocking();
        running = false;
    }
    pthread_mutex_unlock(&lock);
}

enum status rpc_runtime_raise_open_files(struct err *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot read the limit of open files");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot raise the limit of open files");
    return STATUS_OK;
}
