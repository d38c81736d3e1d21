// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/ingest.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/store/runs.h"
#include "services/controller/ingest_commit.h"
#include "services/controller/meter.h"
#include "services/controller/metrics.h"
#include "services/controller/reaper.h"
#include "services/controller/stops.h"
#include "services/controller/wake.h"

#define BATCHES_MAX 256
#define RENEWALS_MAX 2000
#define LINGER_MS 2
#define RENEW_LINGER_MS 20

struct ingest {
    struct controller *controller;
    struct group *batches;  /* owned */
    struct group *renewals; /* owned */
    atomic_size_t waiting;  /* bytes of batches that are not answered yet */
};

struct renewal {
    struct group_item base;
    struct track *track; /* a reference */
};

static void item_free(struct ingest_item *item)
{
    atomic_fetch_sub(&item->track->controller->ingest->waiting, item->bytes);
    track_unref(item->track);
    arena_free(&item->arena);
    free(item);
}

static uint64_t lane_of(const struct track *track)
{
    return facts_hash(track->sweep_id, track->run_id);
}

/* ---- answers ---- */

static void note_outage(struct controller *controller, enum status status)
{
    if (status == STATUS_UNAVAILABLE && controller->reaper != NULL)
        reaper_note_outage(controller->reaper);
}

/* A batch that the database will never take counts as an empty one, at once: the next ones follow its number.
 */
static enum status store_empty(struct controller *controller, struct ingest_item *item, struct err *err)
{
    struct group_item *base = &item->base;
    log_warn(CONTROLLER_LOG, "batch_refused", LOG_TEXT("sweep", item->track->sweep_id),
             LOG_TEXT("run", item->track->run_id), LOG_INT("sequence", item->batch.sequence), LOG_ERR(err));
    item->refusal = arena_strdup(&item->arena, err->text);
    if (item->refusal == NULL)
        item->refusal = "it cannot be stored";
    item->batch = batch_empty(item->batch.sequence);
    return ingest_commit(controller, &base, 1, err);
}

static void count_stored(const struct ingest_item *item)
{
    if (!item->accepted) {
        controller_count(CONTROLLER_BATCHES, BATCH_METRIC_REPEATED);
        return;
    }
    controller_count(CONTROLLER_BATCHES, item->refusal != NULL ? BATCH_METRIC_REFUSED : BATCH_METRIC_STORED);
    metric_add(&controller_metrics[CONTROLLER_POINTS], 0, item->batch.points);
    metric_add(&controller_metrics[CONTROLLER_LOG_BYTES], 0, item->batch.log_bytes);
}

static void answer_stored(struct controller *controller, struct ingest_item *item)
{
    struct track *track = item->track;
    struct err err = ERR_INIT;
    if (!item->found) {
        err_set(&err, STATUS_NOT_FOUND, "run %s of sweep %s is not there any more", track->run_id,
                track->sweep_id);
        track_fail(track, &err);
        return;
    }
    count_stored(item);
    if (item->refusal != NULL && item->accepted)
        track_refuse(track, item->batch.sequence, item->refusal);
    track_ack(track, item->last_sequence);
    if (item->accepted)
        meter_add(controller->meter, track->sweep_id, item->batch.points, clock_monotonic_ms(&clock_system));
    if (item->finished_sweep) {
        log_info(CONTROLLER_LOG, "target_reached", LOG_TEXT("sweep", track->sweep_id),
                 LOG_TEXT("run", track->run_id));
        wake_sweep(controller, track->sweep_id);
    }
    if (item->left_out_facts && !track->facts_told) {
        track->facts_told = true;
        log_warn(CONTROLLER_LOG, "facts_left_out", LOG_TEXT("sweep", track->sweep_id),
                 LOG_TEXT("run", track->run_id), LOG_INT("most", FACTS_MAX));
    }
    if (item->reached_rung && controller->stops != NULL)
        stops_nudge(controller->stops, track->sweep_id);
    if (item->batch.sequence > item->last_sequence + 1) {
        err_set(&err, STATUS_UNAVAILABLE, "a batch before %" PRId64 " is missing: open the attempt again",
                item->batch.sequence);
        track_fail(track, &err);
    } else if (item->stale && track->current) {
        err_set(&err, STATUS_UNAVAILABLE, "attempt %d of run %s is no longer the current one: open it again",
                track->attempt, track->run_id);
        track_fail(track, &err);
    }
}

/* What the database says of these values, not of itself: a missing table or a right that was taken away must
 * cost time, never metrics. */
static bool is_fault_of_batch(enum status status)
{
    return status == STATUS_INVALID || status == STATUS_NOT_FOUND;
}

static void answer_batch(void *context, struct group_item *base, const struct err *err)
{
    struct controller *controller = context;
    struct ingest_item *item = (struct ingest_item *)(void *)base;
    struct err last = *err;
    enum status status = err->code;
    if (is_fault_of_batch(status) && item->refusal == NULL)
        status = store_empty(controller, item, &last);
    if (status == STATUS_OK) {
        answer_stored(controller, item);
    } else {
        controller_count(CONTROLLER_BATCHES, BATCH_METRIC_FAILED);
        track_fail(item->track, &last);
    }
    note_outage(controller, status);
    track_answered(item->track);
    item_free(item);
}

/* ---- signs of life ---- */

struct renew_work {
    struct controller *controller;
    struct store_lease_key *keys;
    size_t count;
};

static int compare_keys(const void *a, const void *b)
{
    const struct store_lease_key *left = a, *right = b;
    int order = strcmp(left->sweep_id, right->sweep_id);
    if (order == 0)
        order = strcmp(left->run_id, right->run_id);
    return order != 0 ? order : (left->attempt > right->attempt) - (left->attempt < right->attempt);
}

static enum status renew_leases(struct store_tx *tx, void *context, struct err *err)
{
    struct renew_work *work = context;
    return store_renew_leases(tx, work->keys, work->count, work->controller->options->lease_ms, err);
}

static void fill_keys(struct renew_work *work, struct group_item *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct track *track = ((const struct renewal *)(const void *)items[i])->track;
        work->keys[i] = (struct store_lease_key){track->sweep_id, track->run_id, track->attempt};
    }
    qsort(work->keys, count, sizeof *work->keys, compare_keys);
    work->count = 1;
    for (size_t i = 1; i < count; i++)
        if (compare_keys(&work->keys[work->count - 1], &work->keys[i]) != 0)
            work->keys[work->count++] = work->keys[i];
}

static enum status commit_renewals(void *context, struct group_item *const *items, size_t count,
                                   struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct renew_work work = {.controller = context};
    work.keys = calloc(count, sizeof *work.keys);
    if (work.keys == NULL)
        return err_set(err, STATUS_NO_MEMORY, "renewing leases: out of memory");
    fill_keys(&work, items, count);
    enum status status = store_transaction(work.controller->store, &arena, renew_leases, &work, err);
    free(work.keys);
    return status;
}

/* Returns what it was. */
static bool set_renewing(struct track *track, bool renewing)
{
    pthread_mutex_lock(&track->lock);
    bool was = track->renewing;
    track->renewing = renewing;
    pthread_mutex_unlock(&track->lock);
    return was;
}

static void answer_renewal(void *context, struct group_item *base, const struct err *err)
{
    struct renewal *renewal = (struct renewal *)(void *)base;
    (void)set_renewing(renewal->track, false);
    note_outage(context, err->code);
    if (err->code == STATUS_OK)
        track_ack_alive(renewal->track);
    else
        log_debug(CONTROLLER_LOG, "lease_not_renewed", LOG_TEXT("run", renewal->track->run_id), LOG_ERR(err));
    track_unref(renewal->track);
    free(renewal);
}

void ingest_renew(struct ingest *ingest, struct track *track)
{
    if (set_renewing(track, true))
        return; /* the one under way serves both */
    struct renewal *renewal = calloc(1, sizeof *renewal);
    if (renewal == NULL) {
        (void)set_renewing(track, false);
        return;
    }
    renewal->track = track_ref(track);
    group_submit(ingest->renewals, 0, &renewal->base);
}

/* ---- batches ---- */

static enum status fill_item(struct ingest_item *item, const Besom__V1__TrackBatch *message, struct err *err)
{
    const struct facts *facts = item->track->facts;
    const struct batch_metrics metrics = {facts->metric,
                                          facts->band_count > 0 ? facts->spec->step_metric : NULL};
    item->refusal = batch_refusal(message);
    if (item->refusal == NULL)
        return batch_make(message, &metrics, &item->arena, &item->batch, err);
    item->batch = batch_empty(message->sequence);
    return STATUS_OK;
}

/* False, and nothing counted, when too much waits already; one batch always has room. */
static bool count_in(struct ingest *ingest, struct ingest_item *item)
{
    const struct batch *batch = &item->batch;
    size_t bytes = sizeof *item + batch->payload_length + (size_t)batch->log_bytes +
                   batch->value_count * (sizeof *batch->values + sizeof *batch->units) +
                   batch->figure_count * sizeof *batch->figures + batch->fact_bytes;
    size_t before = atomic_fetch_add(&ingest->waiting, bytes);
    if (before > 0 && before + bytes > (size_t)ingest->controller->options->ingest_memory_bytes) {
        atomic_fetch_sub(&ingest->waiting, bytes);
        return false;
    }
    item->bytes = bytes;
    return true;
}

enum status ingest_submit(struct ingest *ingest, struct track *track, const Besom__V1__TrackBatch *message,
                          struct err *err)
{
    struct ingest_item *item = calloc(1, sizeof *item);
    if (item == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    item->track = track_ref(track);
    item->arena = arena_make(0);
    enum status status = fill_item(item, message, err);
    if (status == STATUS_OK && !count_in(ingest, item))
        status = err_set(err, STATUS_UNAVAILABLE, "too much waits to be stored (send it again later)");
    if (status != STATUS_OK) {
        item_free(item);
        return status;
    }
    group_submit(ingest->batches, lane_of(track), &item->base);
    return STATUS_OK;
}

enum status ingest_start(struct controller *controller, struct ingest **out, struct err *err)
{
    const struct group_options batches = {.name = "ingest",
                                          .lanes = (size_t)controller->options->ingest_workers,
                                          .max_items = BATCHES_MAX,
                                          .linger_ms = LINGER_MS,
                                          .run = ingest_commit,
                                          .answer = answer_batch,
                                          .context = controller};
    const struct group_options renewals = {.name = "renew",
                                           .lanes = 1,
                                           .max_items = RENEWALS_MAX,
                                           .linger_ms = RENEW_LINGER_MS,
                                           .run = commit_renewals,
                                           .answer = answer_renewal,
                                           .context = controller};
    struct ingest *ingest = calloc(1, sizeof *ingest);
    *out = NULL;
    if (ingest == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    ingest->controller = controller;
    enum status status = group_new(&batches, &ingest->batches, err);
    if (status == STATUS_OK)
        status = group_new(&renewals, &ingest->renewals, err);
    if (status != STATUS_OK) {
        ingest_stop(ingest);
        return status;
    }
    *out = ingest;
    return STATUS_OK;
}

size_t ingest_waiting_bytes(struct ingest *ingest)
{
    return atomic_load(&ingest->waiting);
}

void ingest_stop(struct ingest *ingest)
{
    if (ingest == NULL)
        return;
    group_free(ingest->batches);
    group_free(ingest->renewals);
    free(ingest);
}
