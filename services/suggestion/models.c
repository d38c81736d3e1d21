// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/models.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "services/common/lru.h"
#include "services/suggestion/metrics.h"

/* Pinned by its jobs. */
struct entry {
    struct lru_entry lru; /* first; lock; its key is the sweep */
    struct model model;   /* of the thread at work */
    bool busy;            /* lock */
};

struct models {
    struct models_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct model_job *jobs; /* lock; in order of arrival */
    struct lru lru;         /* lock */
    int aside;              /* lock; such jobs at work */
    bool stopping;          /* lock */
    pthread_t *threads;     /* owned */
    int started;
};

static struct entry *entry_of(struct lru_entry *entry)
{
    return (struct entry *)(void *)entry;
}

static void release(void *context, struct lru_entry *entry)
{
    const struct models *models = context;
    model_clear(&entry_of(entry)->model, models->options.source.specs);
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
        *entry = entry_of(lru_find(&models->lru, job->sweep_id));
        assert(*entry != NULL); /* it waits for this job */
        if ((*entry)->busy || (job->aside && !has_room_aside(models)))
            continue;
        DL_DELETE(models->jobs, job);
        (*entry)->busy = true;
        models->aside += job->aside;
        return job;
    }
    return NULL;
}

/* Lock held. */
static void put_back(struct models *models, struct entry *entry)
{
    entry->busy = false;
    entry->lru.pins--;
    lru_use(&models->lru, &entry->lru, sizeof *entry + model_bytes(&entry->model));
    if (model_is_empty(&entry->model) && entry->lru.pins == 0)
        lru_drop(&models->lru, &entry->lru);
    lru_trim(&models->lru);
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
    models->lru = (struct lru){.bytes_max = options->bytes_max,
                               .entry_size = sizeof(struct entry),
                               .release = release,
                               .context = models};
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
    lru_clear(&models->lru);
    pthread_cond_destroy(&models->changed);
    pthread_mutex_destroy(&models->lock);
    free(models->threads);
    free(models);
}

enum status models_submit(struct models *models, struct model_job *job, struct err *err)
{
    pthread_mutex_lock(&models->lock);
    struct lru_entry *entry = lru_obtain(&models->lru, job->sweep_id);
    job->request = log_request();
    if (entry != NULL) {
        entry->pins++;
        DL_APPEND(models->jobs, job);
        pthread_cond_signal(&models->changed);
    }
    pthread_mutex_unlock(&models->lock);
    return entry != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
}

size_t models_count(struct models *models)
{
    pthread_mutex_lock(&models->lock);
    size_t count = lru_count(&models->lru);
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
    metric_set(&suggestion_metrics[SUGGESTION_MODELS], 0, (int64_t)lru_count(&models->lru));
    metric_set(&suggestion_metrics[SUGGESTION_MODEL_BYTES], 0, (int64_t)models->lru.bytes);
    metric_set(&suggestion_metrics[SUGGESTION_WAITING], 0, waiting);
    pthread_mutex_unlock(&models->lock);
}
