// SPDX-License-Identifier: Apache-2.0
#include "rpc/request_id.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static char process[ID_SIZE];
static atomic_uint_fast64_t made;

static void name_process(void)
{
    id_make(&random_system, process);
}

/* Unlike any of another process, and cheap. */
void rpc_request_id_make(char out[RPC_REQUEST_ID_MAX + 1])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, name_process);
    uint64_t number = atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1;
    (void)snprintf(out, RPC_REQUEST_ID_MAX + 1, "%s-%" PRIx64, process, number);
}

static bool copy_valid(grpc_slice value, char out[RPC_REQUEST_ID_MAX + 1])
{
    size_t length = GRPC_SLICE_LENGTH(value);
    if (length == 0 || length > RPC_REQUEST_ID_MAX)
        return false;
    memcpy(out, GRPC_SLICE_START_PTR(value), length);
    out[length] = '\0';
    return strspn(out, allowed) == length;
}

void request_id_take(const grpc_metadata_array *metadata, char out[RPC_REQUEST_ID_MAX + 1])
{
    for (size_t i = 0; i < metadata->count; i++)
        if (grpc_slice_str_cmp(metadata->metadata[i].key, REQUEST_ID_KEY) == 0 &&
            copy_valid(metadata->metadata[i].value, out))
            return;
    rpc_request_id_make(out);
}
