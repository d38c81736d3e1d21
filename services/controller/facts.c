// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/facts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/store/sweeps.h"
#include "services/controller/controller.h"
#include "services/controller/messages.h"
#include "services/controller/single_runs.h"

#define SLOTS 512
#define TELL_AGAIN_MS 60000 /* of a sweep that cannot be read */

struct facts_cache {
    struct gate *gate;
    pthread_mutex_t lock;
    struct facts *slots[SLOTS]; /* lock; each holds a reference */
    int64_t told_ms[SLOTS];     /* lock; when it was logged that a sweep there cannot be read, 0 = never */
};

struct load {
    const char *sweep_id;
    int32_t version;
    struct store_sweep sweep;
    struct store_spec spec;
};

enum status facts_cache_new(struct gate *gate, struct facts_cache **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    (*out)->gate = gate;
    pthread_mutex_init(&(*out)->lock, NULL);
    return STATUS_OK;
}

void facts_cache_free(struct facts_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        facts_release(cache->slots[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void facts_release(const struct facts *facts)
{
    struct facts *own = (struct facts *)(uintptr_t)facts;
    if (own == NULL || atomic_fetch_sub(&own->references, 1) != 1)
        return;
    spec_free(own->spec);
    arena_free(&own->arena);
    free(own);
}

void facts_release_at(const struct facts **facts)
{
    facts_release(*facts);
}

/* FNV-1a, 64 bits. */
uint64_t facts_hash(const char *sweep_id, const char *run_id)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = sweep_id; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    for (const char *c = run_id; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash ^ hash >> 29;
}

static enum status read_sweep(struct store_tx *tx, void *context, struct err *err)
{
    struct load *load = context;
    enum status status = store_get_sweep(tx, load->sweep_id, false, &load->sweep, err);
    if (status == STATUS_NOT_FOUND)
        return err_set(err, status, "there is no sweep %s", load->sweep_id);
    TRY(status);
    if (load->version == 0)
        load->version = load->sweep.spec_version;
    return store_get_spec(tx, load->sweep_id, load->version, &load->spec, err);
}

/* What a newer release stored, before it was replaced by this one: the sweep waits for it, and so do its
 * agents. */
static enum status read_spec(const char *json, struct spec **out, struct err *err)
{
    enum status status = spec_from_canonical_json(json, strlen(json), out, err);
    if (status != STATUS_INVALID)
        return status;
    struct err why = *err;
    return err_set(err, STATUS_PRECONDITION, "it needs a newer release of besom-controller: %s", why.text);
}

static enum status fill_facts(struct facts *facts, const struct load *load, struct err *err)
{
    const struct store_sweep *sweep = &load->sweep;
    facts->arena = arena_make(0);
    facts->version = load->version;
    facts->maximize = sweep->maximize;
    facts->seed = sweep->seed;
    facts->expected_runs = message_expected_runs(sweep);
    facts->sweep_id = arena_strdup(&facts->arena, sweep->sweep_id);
    facts->project = arena_strdup(&facts->arena, sweep->project);
    facts->method = arena_strdup(&facts->arena, sweep->method);
    facts->metric = arena_strdup(&facts->arena, sweep->metric);
    if (facts->sweep_id == NULL || facts->project == NULL || facts->method == NULL || facts->metric == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    const char *json = single_runs_is_method(facts->method) ? single_runs_spec : load->spec.json;
    TRY(read_spec(json, &facts->spec, err));
    if (!facts->spec->has_early_terminate)
        return STATUS_OK;
    return stop_bands(&facts->spec->early_terminate, facts->bands, &facts->band_count, err);
}

/* Everybody who waits for the sweep asks for its facts again and again. */
static void log_unread(struct facts_cache *cache, const char *sweep_id, const struct err *err)
{
    int64_t *told_ms = &cache->told_ms[facts_hash(sweep_id, "") % SLOTS];
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    pthread_mutex_lock(&cache->lock);
    bool is_due = *told_ms == 0 || now_ms - *told_ms >= TELL_AGAIN_MS;
    if (is_due)
        *told_ms = now_ms;
    pthread_mutex_unlock(&cache->lock);
    if (is_due)
        log_warn(CONTROLLER_LOG, "sweep_not_read", LOG_TEXT("sweep", sweep_id), LOG_ERR(err));
}

static enum status load_facts(struct facts_cache *cache, const char *sweep_id, int32_t version,
                              struct facts **out, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct load load = {.sweep_id = sweep_id, .version = version};
    TRY(gate_read(cache->gate, &arena, read_sweep, &load, err));
    struct facts *facts = calloc(1, sizeof *facts);
    if (facts == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    atomic_init(&facts->references, 1);
    enum status status = fill_facts(facts, &load, err);
    if (status != STATUS_OK) {
        facts_release(facts);
        err_context(err, "reading sweep %s", sweep_id);
        log_unread(cache, sweep_id, err);
        return status;
    }
    *out = facts;
    return STATUS_OK;
}

static struct facts **slot_of(struct facts_cache *cache, const char *sweep_id)
{
    return &cache->slots[facts_hash(sweep_id, "") % SLOTS];
}

enum status facts_get(struct facts_cache *cache, const char *sweep_id, int32_t version,
                      const struct facts **out, struct err *err)
{
    struct facts **slot = slot_of(cache, sweep_id);
    pthread_mutex_lock(&cache->lock);
    struct facts *found = *slot;
    if (found != NULL && strcmp(found->sweep_id, sweep_id) == 0 &&
        (version == 0 || found->version == version))
        atomic_fetch_add(&found->references, 1);
    else
        found = NULL;
    pthread_mutex_unlock(&cache->lock);
    if (found == NULL) {
        TRY(load_facts(cache, sweep_id, version, &found, err));
        atomic_fetch_add(&found->references, 1);
        pthread_mutex_lock(&cache->lock);
        struct facts *old = *slot;
        *slot = found;
        pthread_mutex_unlock(&cache->lock);
        facts_release(old);
    }
    *out = found;
    return STATUS_OK;
}

bool facts_pause(const struct facts *facts)
{
    return facts->spec->has_early_terminate && stop_type_pauses(facts->spec->early_terminate.type);
}
