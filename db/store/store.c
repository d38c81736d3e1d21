// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "db/store/internal.h"

#define DEFAULT_POOL_SIZE 8
#define DEFAULT_WAIT_MS 10000
#define DEFAULT_RETRY_MS 5000

enum status store_open(const struct store_options *options, struct store **out, struct err *err)
{
    TRY(connection_check_url(options->url, err));
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for the store");
    store->url = strdup(options->url);
    store->application_name = strdup(options->application_name == NULL ? "besom" : options->application_name);
    store->unprepared = options->unprepared;
    store->observer = options->observer;
    store->retry_ms = options->retry_ms > 0 ? options->retry_ms : DEFAULT_RETRY_MS;
    enum status status =
        pool_init(&store->pool, options->pool_size > 0 ? options->pool_size : DEFAULT_POOL_SIZE,
                  options->wait_ms > 0 ? options->wait_ms : DEFAULT_WAIT_MS, err);
    if (status == STATUS_OK && store->url != NULL && store->application_name != NULL) {
        *out = store;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        pool_free(&store->pool);
    free(store->url);
    free(store->application_name);
    free(store);
    return err_set(err, STATUS_NO_MEMORY, "no memory for the store");
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    pool_free(&store->pool);
    free(store->url);
    free(store->application_name);
    free(store);
}

struct store_stats store_stats(struct store *store)
{
    struct store_stats stats = {
        .transactions = atomic_load(&store->transactions),
        .retries = atomic_load(&store->retries),
        .failures = atomic_load(&store->failures),
        .connected = atomic_load(&store->connected),
        .size = store->pool.size,
    };
    pool_count(&store->pool, &stats.open, &stats.busy);
    return stats;
}
