// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/claim_table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define NEWS_MS 60000
#define NEWS_WAIT_MS 3000

struct claim_sweep {
    struct claim_sweep *next;
    char sweep_id[ID_SIZE];
    char reason[CLAIM_REASON_MAX];
    int64_t news_ms; /* when the sweep stopped handing out, 0 = it does */
    struct claim_list fresh, waiting;
    size_t serving;  /* callers that a thread has taken out */
    size_t expiring; /* callers that are about to be told the reason */
    bool busy;       /* a thread has its turn */
    bool look;
};

struct claim_table {
    const struct clock *clock;
    pthread_mutex_t lock; /* guards everything below and in the sweeps */
    pthread_cond_t changed;
    struct claim_sweep *sweeps;
    struct claim_waiter *buckets[BUCKETS];
    int64_t next_poll_ms;
    int64_t next_expiry_ms; /* no parked caller's deadline is earlier */
    bool closed;
};

void claim_list_append(struct claim_list *list, struct claim_waiter *waiter)
{
    waiter->next = NULL;
    waiter->previous = list->last;
    if (list->last != NULL)
        list->last->next = waiter;
    else
        list->first = waiter;
    list->last = waiter;
    list->count++;
}

static void list_unlink(struct claim_list *list, struct claim_waiter *waiter)
{
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        list->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        list->last = waiter->previous;
    waiter->next = waiter->previous = NULL;
    list->count--;
}

struct claim_waiter *claim_list_pop(struct claim_list *list)
{
    struct claim_waiter *waiter = list->first;
    if (waiter != NULL)
        list_unlink(list, waiter);
    return waiter;
}

static struct claim_waiter **bucket_of(struct claim_table *table, const void *call)
{
    uint64_t hash = (uint64_t)(uintptr_t)call * 0x9e3779b97f4a7c15u;
    return &table->buckets[hash >> 52];
}

static void unhash(struct claim_table *table, const struct claim_waiter *waiter)
{
    struct claim_waiter **link = bucket_of(table, waiter->call);
    while (*link != waiter)
        link = &(*link)->bucket_next;
    *link = waiter->bucket_next;
}

/* Into its sweep's list and the table by call. */
static void park(struct claim_table *table, struct claim_waiter *waiter)
{
    struct claim_waiter **bucket = bucket_of(table, waiter->call);
    waiter->bucket_next = *bucket;
    *bucket = waiter;
    claim_list_append(waiter->fresh ? &waiter->sweep->fresh : &waiter->sweep->waiting, waiter);
    if (!waiter->fresh && waiter->deadline_ms < table->next_expiry_ms)
        table->next_expiry_ms = waiter->deadline_ms;
}

static void unpark(struct claim_table *table, struct claim_waiter *waiter)
{
    unhash(table, waiter);
    list_unlink(waiter->fresh ? &waiter->sweep->fresh : &waiter->sweep->waiting, waiter);
}

enum status claim_table_new(const struct clock *clock, struct claim_table **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    (*out)->clock = clock;
    (*out)->next_expiry_ms = INT64_MAX;
    pthread_mutex_init(&(*out)->lock, NULL);
    clock_cond_init(&(*out)->changed);
    return STATUS_OK;
}

void claim_table_free(struct claim_table *table)
{
    if (table == NULL)
        return;
    while (table->sweeps != NULL) {
        struct claim_sweep *next = table->sweeps->next;
        free(table->sweeps);
        table->sweeps = next;
    }
    pthread_cond_destroy(&table->changed);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

static struct claim_sweep *find_sweep(struct claim_table *table, const char *sweep_id)
{
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        if (strcmp(sweep->sweep_id, sweep_id) == 0)
            return sweep;
    return NULL;
}

static struct claim_sweep *obtain_sweep(struct claim_table *table, const char *sweep_id)
{
    struct claim_sweep *sweep = find_sweep(table, sweep_id);
    if (sweep != NULL)
        return sweep;
    sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL)
        return NULL;
    (void)snprintf(sweep->sweep_id, sizeof sweep->sweep_id, "%s", sweep_id);
    sweep->next = table->sweeps;
    table->sweeps = sweep;
    return sweep;
}

/* Sweeps that nobody waits for are forgotten. */
static void drop_idle_sweeps(struct claim_table *table)
{
    for (struct claim_sweep **link = &table->sweeps; *link != NULL;) {
        struct claim_sweep *sweep = *link;
        if (sweep->busy || sweep->fresh.count > 0 || sweep->waiting.count > 0 || sweep->serving > 0 ||
            sweep->expiring > 0) {
            link = &sweep->next;
            continue;
        }
        *link = sweep->next;
        free(sweep);
    }
}

static bool same_key(const struct claim_waiter *a, const struct claim_waiter *b)
{
    return a->slot == b->slot && a->counter == b->counter && strcmp(a->agent_id, b->agent_id) == 0;
}

static struct claim_waiter *find_key(struct claim_sweep *sweep, const struct claim_waiter *key)
{
    struct claim_list *lists[] = {&sweep->fresh, &sweep->waiting};
    for (size_t i = 0; i < 2; i++)
        for (struct claim_waiter *waiter = lists[i]->first; waiter != NULL; waiter = waiter->next)
            if (same_key(waiter, key))
                return waiter;
    return NULL;
}

static enum status park_new(struct claim_table *table, const char *sweep_id, struct claim_waiter *waiter,
                            struct claim_waiter **replaced, struct err *err)
{
    if (table->closed)
        return err_set(err, STATUS_UNAVAILABLE, "the controller is shutting down");
    if (*waiter->gone)
        return err_set(err, STATUS_CANCELLED, "the caller gave up");
    waiter->sweep = obtain_sweep(table, sweep_id);
    if (waiter->sweep == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    *replaced = find_key(waiter->sweep, waiter);
    if (*replaced != NULL)
        unpark(table, *replaced);
    park(table, waiter);
    pthread_cond_signal(&table->changed);
    return STATUS_OK;
}

enum status claim_table_park(struct claim_table *table, const struct claim_caller *caller,
                             struct claim_waiter **replaced, struct err *err)
{
    *replaced = NULL;
    struct claim_waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    *waiter = (struct claim_waiter){.call = caller->call,
                                    .gone = caller->gone,
                                    .deadline_ms = caller->deadline_ms,
                                    .counter = caller->counter,
                                    .slot = caller->slot,
                                    .fresh = true};
    (void)snprintf(waiter->agent_id, sizeof waiter->agent_id, "%s", caller->agent_id);
    pthread_mutex_lock(&table->lock);
    enum status status = park_new(table, caller->sweep_id, waiter, replaced, err);
    pthread_mutex_unlock(&table->lock);
    if (status != STATUS_OK)
        free(waiter);
    return status;
}

struct claim_waiter *claim_table_remove(struct claim_table *table, const void *call, bool *gone)
{
    pthread_mutex_lock(&table->lock);
    *gone = true;
    struct claim_waiter *waiter = *bucket_of(table, call);
    while (waiter != NULL && waiter->call != call)
        waiter = waiter->bucket_next;
    if (waiter != NULL)
        unpark(table, waiter);
    pthread_mutex_unlock(&table->lock);
    return waiter;
}

void claim_table_wake(struct claim_table *table, const char *sweep_id)
{
    pthread_mutex_lock(&table->lock);
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        if (sweep_id == NULL || strcmp(sweep->sweep_id, sweep_id) == 0)
            sweep->look = true;
    pthread_cond_signal(&table->changed);
    pthread_mutex_unlock(&table->lock);
}

/* Moves callers past their deadline to `expired`. Fresh ones are looked up first. */
static void expire(struct claim_table *table, int64_t now_ms, struct claim_list *expired)
{
    if (now_ms < table->next_expiry_ms)
        return;
    int64_t next_ms = INT64_MAX;
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        for (struct claim_waiter *waiter = sweep->waiting.first, *following; waiter != NULL;
             waiter = following) {
            following = waiter->next;
            if (waiter->deadline_ms > now_ms) {
                next_ms = waiter->deadline_ms < next_ms ? waiter->deadline_ms : next_ms;
                continue;
            }
            unpark(table, waiter);
            claim_list_append(expired, waiter);
            sweep->expiring++;
        }
    table->next_expiry_ms = next_ms;
}

static void poll_when_due(struct claim_table *table, int64_t now_ms, int64_t poll_ms)
{
    if (now_ms < table->next_poll_ms)
        return;
    table->next_poll_ms = now_ms + poll_ms;
    drop_idle_sweeps(table);
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        sweep->look = true;
}

static struct claim_sweep *find_due(struct claim_table *table)
{
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        if (!sweep->busy && (sweep->fresh.count > 0 || (sweep->look && sweep->waiting.count > 0)))
            return sweep;
    return NULL;
}

static void take(struct claim_table *table, struct claim_sweep *sweep, struct claim_list *from, size_t max,
                 struct claim_list *out)
{
    while (from->first != NULL && out->count < max) {
        struct claim_waiter *waiter = from->first;
        unpark(table, waiter);
        claim_list_append(out, waiter);
        sweep->serving++;
    }
}

/* Behind all others, so that a busy sweep does not keep them waiting. */
static void move_to_end(struct claim_table *table, struct claim_sweep *sweep)
{
    struct claim_sweep **link = &table->sweeps;
    while (*link != sweep)
        link = &(*link)->next;
    *link = sweep->next;
    while (*link != NULL)
        link = &(*link)->next;
    *link = sweep;
    sweep->next = NULL;
}

static void start_turn(struct claim_table *table, struct claim_sweep *sweep, size_t max,
                       struct claim_turn *turn)
{
    move_to_end(table, sweep);
    turn->sweep = sweep;
    memcpy(turn->sweep_id, sweep->sweep_id, sizeof turn->sweep_id);
    turn->look = sweep->look && sweep->waiting.count > 0;
    sweep->look = false;
    sweep->busy = true;
    take(table, sweep, &sweep->fresh, max, &turn->fresh);
}

bool claim_table_begin(struct claim_table *table, size_t max, int64_t poll_ms, struct claim_turn *turn,
                       struct claim_list *expired)
{
    *turn = (struct claim_turn){.sweep = NULL};
    *expired = (struct claim_list){.first = NULL};
    pthread_mutex_lock(&table->lock);
    while (!table->closed) {
        int64_t now_ms = clock_monotonic_ms(table->clock);
        poll_when_due(table, now_ms, poll_ms);
        expire(table, now_ms, expired);
        if (expired->count > 0)
            break;
        struct claim_sweep *due = find_due(table);
        if (due != NULL) {
            start_turn(table, due, max, turn);
            break;
        }
        /* an empty table polls nothing */
        if (table->sweeps == NULL) {
            pthread_cond_wait(&table->changed, &table->lock);
            continue;
        }
        int64_t next_ms =
            table->next_expiry_ms < table->next_poll_ms ? table->next_expiry_ms : table->next_poll_ms;
        (void)clock_cond_wait(&table->changed, &table->lock, next_ms - now_ms);
    }
    bool go_on = turn->sweep != NULL || expired->count > 0;
    pthread_mutex_unlock(&table->lock);
    return go_on;
}

struct claim_list claim_table_take(struct claim_table *table, struct claim_turn *turn, size_t max)
{
    struct claim_list taken = {.first = NULL};
    pthread_mutex_lock(&table->lock);
    take(table, turn->sweep, &turn->sweep->waiting, max, &taken);
    pthread_mutex_unlock(&table->lock);
    return taken;
}

/* While there is news, callers come to hear it soon; older news, which most have heard, less soon. */
static int64_t last_deadline_ms(const struct claim_sweep *sweep, int64_t now_ms)
{
    int64_t age_ms = now_ms - sweep->news_ms;
    if (sweep->news_ms == 0 || age_ms >= NEWS_MS)
        return INT64_MAX;
    return now_ms + (age_ms > NEWS_WAIT_MS ? age_ms : NEWS_WAIT_MS);
}

void claim_table_return(struct claim_table *table, struct claim_turn *turn, struct claim_list *list)
{
    struct claim_list left = {.first = NULL};
    struct claim_waiter *waiter;
    pthread_mutex_lock(&table->lock);
    int64_t last_ms = last_deadline_ms(turn->sweep, clock_monotonic_ms(table->clock));
    while ((waiter = claim_list_pop(list)) != NULL) {
        turn->sweep->serving--;
        if (table->closed || *waiter->gone) {
            claim_list_append(&left, waiter);
            continue;
        }
        waiter->fresh = false;
        if (waiter->deadline_ms > last_ms)
            waiter->deadline_ms = last_ms;
        park(table, waiter);
    }
    pthread_mutex_unlock(&table->lock);
    *list = left;
}

void claim_table_end(struct claim_table *table, struct claim_turn *turn)
{
    pthread_mutex_lock(&table->lock);
    turn->sweep->busy = false;
    turn->sweep->serving = 0;
    pthread_cond_broadcast(&table->changed);
    pthread_mutex_unlock(&table->lock);
}

/* Those who wait hear at once that they wait in vain for now. */
static void spread_news(struct claim_table *table, struct claim_sweep *sweep)
{
    sweep->news_ms = clock_monotonic_ms(table->clock);
    for (struct claim_waiter *waiter = sweep->waiting.first; waiter != NULL; waiter = waiter->next)
        waiter->deadline_ms = sweep->news_ms;
    table->next_expiry_ms = sweep->news_ms;
}

void claim_table_set_reason(struct claim_table *table, struct claim_sweep *sweep, const char *reason,
                            bool closed)
{
    pthread_mutex_lock(&table->lock);
    bool changed = strcmp(sweep->reason, reason) != 0;
    (void)snprintf(sweep->reason, sizeof sweep->reason, "%s", reason);
    if (closed && changed)
        spread_news(table, sweep);
    else if (!closed)
        sweep->news_ms = 0;
    pthread_mutex_unlock(&table->lock);
}

void claim_table_leave(struct claim_table *table, const struct claim_waiter *waiter,
                       char out[CLAIM_REASON_MAX])
{
    pthread_mutex_lock(&table->lock);
    waiter->sweep->expiring--;
    (void)snprintf(out, CLAIM_REASON_MAX, "%s", waiter->sweep->reason);
    pthread_mutex_unlock(&table->lock);
}

void claim_table_get_reason(struct claim_table *table, const char *sweep_id, char out[CLAIM_REASON_MAX])
{
    pthread_mutex_lock(&table->lock);
    const struct claim_sweep *sweep = find_sweep(table, sweep_id);
    (void)snprintf(out, CLAIM_REASON_MAX, "%s",
                   sweep != NULL && sweep->waiting.count > 0 ? sweep->reason : "");
    pthread_mutex_unlock(&table->lock);
}

struct claim_list claim_table_close(struct claim_table *table)
{
    struct claim_list all = {.first = NULL};
    pthread_mutex_lock(&table->lock);
    table->closed = true;
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next) {
        struct claim_list *lists[] = {&sweep->fresh, &sweep->waiting};
        for (size_t i = 0; i < 2; i++)
            while (lists[i]->first != NULL) {
                struct claim_waiter *waiter = lists[i]->first;
                unpark(table, waiter);
                claim_list_append(&all, waiter);
            }
    }
    pthread_cond_broadcast(&table->changed);
    pthread_mutex_unlock(&table->lock);
    return all;
}

size_t claim_table_count(struct claim_table *table, const char *sweep_id)
{
    size_t count = 0;
    pthread_mutex_lock(&table->lock);
    for (struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        if (sweep_id == NULL || strcmp(sweep->sweep_id, sweep_id) == 0)
            count += sweep->fresh.count + sweep->waiting.count + sweep->serving;
    pthread_mutex_unlock(&table->lock);
    return count;
}

size_t claim_table_count_waiting(struct claim_table *table, const char *reason)
{
    size_t count = 0, length = strlen(reason);
    pthread_mutex_lock(&table->lock);
    for (const struct claim_sweep *sweep = table->sweeps; sweep != NULL; sweep = sweep->next)
        if (strncmp(sweep->reason, reason, length) == 0)
            count += sweep->waiting.count;
    pthread_mutex_unlock(&table->lock);
    return count;
}
