// SPDX-License-Identifier: GPL-3.0-or-later
/* The gauges: of this replica's parts when metrics are written, of the database every so often. */
#include <stdlib.h>

#include "base/log.h"
#include "db/store/backlog.h"
#include "services/common/ticker.h"
#include "services/controller/claim.h"
#include "services/controller/ingest.h"
#include "services/controller/metrics.h"
#include "services/controller/standbys.h"
#include "services/controller/track.h"

#define INTERVAL_MS 15000
#define COUNT_MAX 100000

struct backlog {
    struct controller *controller;
    struct ticker *ticker; /* owned */
};

static void set(size_t metric, size_t series, int64_t value)
{
    metric_set(&controller_metrics[metric], series, value);
}

static enum status read_backlog(struct store_tx *tx, void *context, struct err *err)
{
    return store_get_backlog(tx, COUNT_MAX, context, err);
}

static void look(void *context)
{
    const struct backlog *backlog = context;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct store_backlog found = {.inbox_rows = 0};
    struct err err = ERR_INIT;
    standbys_look(backlog->controller->standbys, 0);
    if (store_read(backlog->controller->store, &arena, read_backlog, &found, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "backlog_not_read", LOG_ERR(&err));
        return;
    }
    set(CONTROLLER_INBOX_ROWS, 0, found.inbox_rows);
    set(CONTROLLER_INBOX_POINTS, 0, found.inbox_points);
    set(CONTROLLER_QUEUED_RUNS, 0, found.queued_runs);
}

static void collect(void *context)
{
    const struct controller *controller = context;
    set(CONTROLLER_PARKED, 0, (int64_t)claims_count(controller->claims, NULL));
    set(CONTROLLER_STARVING, 0, (int64_t)claims_count_starving(controller->claims));
    set(CONTROLLER_OPEN_ATTEMPTS, 0, (int64_t)tracks_count(controller->tracks, NULL));
    set(CONTROLLER_SPOOLED_BATCHES, 0, tracks_count_spooled(controller->tracks));
    set(CONTROLLER_INGEST_WAITING, 0, (int64_t)ingest_waiting_bytes(controller->ingest));
}

enum status backlog_start(struct controller *controller, struct backlog **out, struct err *err)
{
    struct backlog *backlog = calloc(1, sizeof *backlog);
    *out = NULL;
    if (backlog == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    backlog->controller = controller;
    enum status status = metrics_open(controller_metrics, CONTROLLER_METRIC_COUNT, err);
    if (status == STATUS_OK)
        status = ticker_start("backlog", INTERVAL_MS, look, backlog, &backlog->ticker, err);
    if (status != STATUS_OK) {
        backlog_stop(backlog);
        return status;
    }
    metrics_on_write(collect, controller);
    *out = backlog;
    return STATUS_OK;
}

void backlog_stop(struct backlog *backlog)
{
    if (backlog == NULL)
        return;
    metrics_off_write(collect, backlog->controller);
    ticker_stop(backlog->ticker);
    free(backlog);
}
