// SPDX-License-Identifier: GPL-3.0-or-later
/* The registry of open streams, and the thread that brings directives to them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/common/ticker.h"
#include "services/controller/tracks.h"

#define BUCKETS 1024
#define CHECK_INTERVAL_MS 10000

struct tracks {
    struct controller *controller;
    struct ticker *ticker; /* owned */
    pthread_mutex_t lock;  /* guards what follows and the tracks' links */
    struct track *buckets[BUCKETS];
    size_t count;
    bool draining;
    int64_t checked_ms; /* ticker's thread only */
};

/* The streams at one moment, sorted by key. */
struct snapshot {
    struct track **tracks;        /* owned, with a reference each */
    struct store_lease_key *keys; /* owned */
    size_t count;
    struct store_directive *directives;
    size_t directive_count;
    struct store_lease_key *held;
    size_t held_count;
};

static const struct {
    const char *name;
    Besom__V1__DirectiveKind kind;
} kinds[] = {
    {"stop_early", BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_STOP_EARLY},
    {"stop_user", BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_STOP_USER},
    {"kill", BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_KILL},
    {"pause", BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_PAUSE},
    {"superseded", BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_SUPERSEDED},
};

static Besom__V1__DirectiveKind kind_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_UNSPECIFIED;
}

void track_send_directive(struct track *track, const struct store_directive *directive)
{
    Besom__V1__TrackRunResponse response = BESOM__V1__TRACK_RUN_RESPONSE__INIT;
    Besom__V1__Directive message = BESOM__V1__DIRECTIVE__INIT;
    message.generation = directive->generation;
    message.kind = kind_of(directive->kind);
    message.reason = (char *)(uintptr_t)directive->reason;
    response.message_case = BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_DIRECTIVE;
    response.directive = &message;
    pthread_mutex_lock(&track->lock);
    if (directive->generation > track->sent_generation &&
        rpc_stream_send(track->stream, &response.base) == STATUS_OK) {
        track->sent_generation = directive->generation;
        log_info(CONTROLLER_LOG, "directive_sent", LOG_TEXT("sweep", track->sweep_id),
                 LOG_TEXT("run", track->run_id), LOG_INT("attempt", track->attempt),
                 LOG_TEXT("kind", directive->kind), LOG_INT("generation", directive->generation));
    }
    pthread_mutex_unlock(&track->lock);
}

void tracks_add(struct tracks *tracks, struct track *track)
{
    struct track **bucket = &tracks->buckets[facts_hash(track->sweep_id, track->run_id) % BUCKETS];
    pthread_mutex_lock(&tracks->lock);
    track->next = *bucket;
    track->link = bucket;
    if (track->next != NULL)
        track->next->link = &track->next;
    *bucket = track;
    tracks->count++;
    bool draining = tracks->draining;
    pthread_mutex_unlock(&tracks->lock);
    if (draining)
        rpc_stream_finish(track->stream, NULL);
}

void tracks_remove(struct tracks *tracks, struct track *track)
{
    pthread_mutex_lock(&tracks->lock);
    if (track->link != NULL) {
        *track->link = track->next;
        if (track->next != NULL)
            track->next->link = track->link;
        track->link = NULL;
        tracks->count--;
    }
    pthread_mutex_unlock(&tracks->lock);
}

size_t tracks_count(struct tracks *tracks, const char *sweep_id)
{
    size_t count = 0;
    pthread_mutex_lock(&tracks->lock);
    for (size_t i = 0; i < BUCKETS && sweep_id != NULL; i++)
        for (const struct track *track = tracks->buckets[i]; track != NULL; track = track->next)
            count += strcmp(track->sweep_id, sweep_id) == 0;
    if (sweep_id == NULL)
        count = tracks->count;
    pthread_mutex_unlock(&tracks->lock);
    return count;
}

int64_t tracks_count_spooled(struct tracks *tracks)
{
    int64_t count = 0;
    pthread_mutex_lock(&tracks->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct track *track = tracks->buckets[i]; track != NULL; track = track->next) {
            pthread_mutex_lock(&track->lock);
            count += track->spooled;
            pthread_mutex_unlock(&track->lock);
        }
    pthread_mutex_unlock(&tracks->lock);
    return count;
}

static int compare_keys(const struct store_lease_key *a, const struct store_lease_key *b)
{
    int order = strcmp(a->sweep_id, b->sweep_id);
    if (order == 0)
        order = strcmp(a->run_id, b->run_id);
    return order != 0 ? order : (a->attempt > b->attempt) - (a->attempt < b->attempt);
}

static int compare_held(const void *a, const void *b)
{
    return compare_keys(a, b);
}

static struct store_lease_key key_of(const struct track *track)
{
    return (struct store_lease_key){track->sweep_id, track->run_id, track->attempt};
}

static int compare_tracks(const void *a, const void *b)
{
    struct store_lease_key left = key_of(*(struct track *const *)a),
                           right = key_of(*(struct track *const *)b);
    return compare_keys(&left, &right);
}

/* References to all streams; two of one attempt may be open for a moment. */
static void collect(struct tracks *tracks, struct snapshot *out)
{
    pthread_mutex_lock(&tracks->lock);
    out->tracks = calloc(tracks->count + 1, sizeof *out->tracks);
    out->keys = calloc(tracks->count + 1, sizeof *out->keys);
    for (size_t i = 0; i < BUCKETS && out->tracks != NULL && out->keys != NULL; i++)
        for (struct track *track = tracks->buckets[i]; track != NULL; track = track->next)
            out->tracks[out->count++] = track_ref(track);
    pthread_mutex_unlock(&tracks->lock);
    if (out->count > 1)
        qsort(out->tracks, out->count, sizeof(*out->tracks), compare_tracks);
}

static size_t fill_keys(struct snapshot *snapshot)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        struct store_lease_key key = key_of(snapshot->tracks[i]);
        if (count == 0 || compare_keys(&snapshot->keys[count - 1], &key) != 0)
            snapshot->keys[count++] = key;
    }
    return count;
}

static void release(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        track_unref(snapshot->tracks[i]);
    free(snapshot->tracks);
    free(snapshot->keys);
}

static enum status list_directives(struct store_tx *tx, void *context, struct err *err)
{
    struct snapshot *snapshot = context;
    return store_list_directives(tx, snapshot->keys, fill_keys(snapshot), &snapshot->directives,
                                 &snapshot->directive_count, err);
}

/* To every stream of the directive's attempt; `tracks` is sorted. */
static void deliver(const struct snapshot *snapshot, const struct store_directive *directive)
{
    struct store_lease_key wanted = {directive->sweep_id, directive->run_id, directive->attempt};
    size_t low = 0, high = snapshot->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct store_lease_key key = key_of(snapshot->tracks[middle]);
        if (compare_keys(&key, &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < snapshot->count; low++) {
        struct store_lease_key key = key_of(snapshot->tracks[low]);
        if (compare_keys(&key, &wanted) != 0)
            return;
        track_send_directive(snapshot->tracks[low], directive);
    }
}

static void deliver_directives(struct tracks *tracks, struct snapshot *snapshot)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    enum status status = store_read(tracks->controller->store, &arena, list_directives, snapshot, &err);
    if (status != STATUS_OK)
        log_debug(CONTROLLER_LOG, "directives_not_read", LOG_ERR(&err));
    for (size_t i = 0; status == STATUS_OK && i < snapshot->directive_count; i++)
        deliver(snapshot, &snapshot->directives[i]);
}

/* ---- attempts that were ended behind their agent's back ---- */

static enum status list_held(struct store_tx *tx, void *context, struct err *err)
{
    struct snapshot *snapshot = context;
    TRY(store_list_held(tx, snapshot->keys, fill_keys(snapshot), &snapshot->held, &snapshot->held_count,
                        err));
    qsort(snapshot->held, snapshot->held_count, sizeof *snapshot->held, compare_held);
    return STATUS_OK;
}

static bool is_held(const struct snapshot *snapshot, const struct track *track)
{
    const struct store_lease_key key = key_of(track);
    return bsearch(&key, snapshot->held, snapshot->held_count, sizeof key, compare_held) != NULL;
}

/* The agent opens such an attempt again and learns what it is to do. */
static void fail_lost(struct tracks *tracks, struct snapshot *snapshot)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    if (now_ms - tracks->checked_ms < CHECK_INTERVAL_MS)
        return;
    tracks->checked_ms = now_ms;
    if (store_read(tracks->controller->store, &arena, list_held, snapshot, &err) != STATUS_OK)
        return;
    err_set(&err, STATUS_UNAVAILABLE, "the attempt is no longer the current one: open it again");
    for (size_t i = 0; i < snapshot->count; i++)
        if (snapshot->tracks[i]->current && !is_held(snapshot, snapshot->tracks[i]))
            track_fail(snapshot->tracks[i], &err);
}

static void look(void *context)
{
    struct tracks *tracks = context;
    struct snapshot snapshot = {.count = 0};
    collect(tracks, &snapshot);
    if (snapshot.count > 0) {
        deliver_directives(tracks, &snapshot);
        fail_lost(tracks, &snapshot);
    }
    release(&snapshot);
}

void tracks_kill(struct tracks *tracks, const char *sweep_id, const char *reason)
{
    struct snapshot snapshot = {.count = 0};
    collect(tracks, &snapshot);
    for (size_t i = 0; i < snapshot.count; i++) {
        struct track *track = snapshot.tracks[i];
        const struct store_directive order = {.kind = "kill", .reason = reason, .generation = INT64_MAX};
        if (strcmp(track->sweep_id, sweep_id) == 0)
            track_send_directive(track, &order);
    }
    release(&snapshot);
}

enum status tracks_start(struct controller *controller, struct tracks **out, struct err *err)
{
    struct tracks *tracks = calloc(1, sizeof *tracks);
    *out = NULL;
    if (tracks == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    tracks->controller = controller;
    pthread_mutex_init(&tracks->lock, NULL);
    enum status status =
        ticker_start("directives", controller->options->claim_poll_ms, look, tracks, &tracks->ticker, err);
    if (status != STATUS_OK) {
        tracks_stop(tracks);
        return status;
    }
    *out = tracks;
    return STATUS_OK;
}

void tracks_drain(struct tracks *tracks)
{
    struct snapshot snapshot = {.count = 0};
    pthread_mutex_lock(&tracks->lock);
    tracks->draining = true;
    pthread_mutex_unlock(&tracks->lock);
    collect(tracks, &snapshot);
    for (size_t i = 0; i < snapshot.count; i++)
        rpc_stream_finish(snapshot.tracks[i]->stream, NULL);
    release(&snapshot);
}

void tracks_stop(struct tracks *tracks)
{
    if (tracks == NULL)
        return;
    ticker_stop(tracks->ticker);
    pthread_mutex_destroy(&tracks->lock);
    free(tracks);
}

void tracks_wake(struct tracks *tracks)
{
    ticker_wake(tracks->ticker);
}
