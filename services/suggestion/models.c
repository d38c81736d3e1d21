// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/models.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/log.h"
#include "services/suggestion/metrics.h"

struct entry {
    struct model model; /* of the thread at work */
    char *sweep_id;     /* owned */
    bool busy;          /* lock */
    unsigned waiting;   /* lock; jobs */
    size_t bytes;       /* lock */
    UT_hash_handle hh;  /* lock */
    struct entry *prev; /* lock; by last use, oldest first */
    struct entry *next;
};

struct models {
    struct models_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct model_job *jobs; /* lock; in order of arrival */
    struct entry *by_key;   /* lock; owns the entries */
    struct entry *by_use;   /* lock */
    size_t bytes;           /* lock */
    int aside;              /* lock; such jobs at work */
    bool stopping;          /* lock */
    pthread_t *threads;     /* owned */
    int started;
};

/* Lock held. */
static void drop(struct models *models, struct entry *entry)
{
    assert(models->by_key != NULL && models->by_use != NULL);
    HASH_DEL(models->by_key, entry);
    DL_DELETE(models->by_use, entry);
    models->bytes -= entry->bytes;
    model_clear(&entry->model, models->options.source.specs);
    free(entry->sweep_id);
    free(entry);
}

/* Lock held. NULL without memory. */
static struct entry *obtain(struct models *models, const char *sweep_id)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(models->by_key, sweep_id, entry);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL || (entry->sweep_id = strdup(sweep_id)) == NULL) {
        free(entry);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, models->by_key, entry->sweep_id, strlen(entry->sweep_id), entry);
    DL_APPEND(models->by_use, entry);
    return entry;
}

/* Lock held. One thread stays for suggestions, which agents wait for. */
static bool has_room_aside(const struct models *models)
{
    int most = models->options.threads > 1 ? models->options.threads - 1 : 1;
    return models->aside < most;
}

/* Lock held. The first job whose sweep has none at work; NULL: there is none. */
static struct model_job *take_job(struct models *models, struct entry **entry)
{
    struct model_job *job;
    DL_FOREACH(models->jobs, job)
    {
        HASH_FIND_STR(models->by_key, job->sweep_id, *entry);
        assert(*entry != NULL); /* it waits for this job */
        if ((*entry)->busy || (job->aside && !has_room_aside(models)))
            continue;
        DL_DELETE(models->jobs, job);
        (*entry)->busy = true;
        (*entry)->waiting--;
        models->aside += job->aside;
        return job;
    }
    return NULL;
}

/* Lock held. */
static void put_back(struct models *models, struct entry *entry)
{
    struct entry *next;
    entry->busy = false;
    models->bytes -= entry->bytes;
    entry->bytes = sizeof *entry + model_bytes(&entry->model);
    models->bytes += entry->bytes;
    DL_DELETE(models->by_use, entry);
    DL_APPEND(models->by_use, entry);
    if (model_is_empty(&entry->model) && entry->waiting == 0)
        drop(models, entry);
    DL_FOREACH_SAFE(models->by_use, entry, next)
    {
        if (models->bytes <= models->options.bytes_max)
            break;
        if (!entry->busy && entry->waiting == 0)
            drop(models, entry);
    }
    pthread_cond_broadcast(&models->changed);
}

static void *work(void *argument)
{
    struct models *models = argument;
    struct entry *entry = NULL;
    pthread_mutex_lock(&models->lock);
    for (;;) {
        struct model_job *job = take_job(models, &entry);
        if (job != NULL) {
            bool aside = job->aside;
            pthread_mutex_unlock(&models->lock);
            (void)log_set_request(job->request);
            job->run(job, &entry->model, &models->options.source);
            (void)log_set_request(NULL);
            pthread_mutex_lock(&models->lock);
            models->aside -= aside;
            put_back(models, entry);
        } else if (models->stopping && models->jobs == NULL) {
            break;
        } else {
            pthread_cond_wait(&models->changed, &models->lock);
        }
    }
    pthread_mutex_unlock(&models->lock);
    return NULL;
}

enum status models_new(const struct models_options *options, struct models **out, struct err *err)
{
    struct models *models = calloc(1, sizeof *models);
    *out = models;
    if (models == NULL)
        return err_set(err, STATUS_NO_MEMORY, "models: out of memory");
    models->options = *options;
    pthread_mutex_init(&models->lock, NULL);
    pthread_cond_init(&models->changed, NULL);
    models->threads = calloc((size_t)options->threads, sizeof *models->threads);
    enum status status =
        models->threads != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "models: out of memory");
    while (status == STATUS_OK && models->started < options->threads) {
        int failure = pthread_create(&models->threads[models->started], NULL, work, models);
        if (failure != 0)
            status = err_set_errno(err, STATUS_IO, failure, "starting a model's thread");
        else
            (void)pthread_setname_np(models->threads[models->started++], "model");
    }
    if (status != STATUS_OK) {
        models_free(models);
        *out = NULL;
    }
    return status;
}

void models_free(struct models *models)
{
    if (models == NULL)
        return;
    pthread_mutex_lock(&models->lock);
    models->stopping = true;
    pthread_cond_broadcast(&models->changed);
    pthread_mutex_unlock(&models->lock);
    for (int i = 0; i < models->started; i++)
        pthread_join(models->threads[i], NULL);
    while (models->by_use != NULL)
        drop(models, models->by_use);
    pthread_cond_destroy(&models->changed);
    pthread_mutex_destroy(&models->lock);
    free(models->threads);
    free(models);
}

enum status models_submit(struct models *models, struct model_job *job, struct err *err)
{
    pthread_mutex_lock(&models->lock);
    struct entry *entry = obtain(models, job->sweep_id);
    job->request = log_request();
    if (entry != NULL) {
        entry->waiting++;
        DL_APPEND(models->jobs, job);
        pthread_cond_signal(&models->changed);
    }
    pthread_mutex_unlock(&models->lock);
    return entry != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
}

size_t models_count(struct models *models)
{
    pthread_mutex_lock(&models->lock);
    size_t count = HASH_COUNT(models->by_key);
    pthread_mutex_unlock(&models->lock);
    return count;
}

void models_measure(void *context)
{
    struct models *models = context;
    const struct model_job *job;
    int64_t waiting = 0;
    pthread_mutex_lock(&models->lock);
    DL_FOREACH(models->jobs, job)
    {
        waiting++;
    }
    metric_set(&suggestion_metrics[SUGGESTION_MODELS], 0, HASH_COUNT(models->by_key));
    metric_set(&suggestion_metrics[SUGGESTION_MODEL_BYTES], 0, (int64_t)models->bytes);
    metric_set(&suggestion_metrics[SUGGESTION_WAITING], 0, waiting);
    pthread_mutex_unlock(&models->lock);
}
