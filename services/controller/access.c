// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/access.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/store/tokens.h"
#include "services/common/roles.h"
#include "services/common/ticker.h"
#include "services/controller/controller.h"
#include "services/controller/facts.h"
#include "services/controller/metrics.h"

#define LOOK_MS 1500
#define COUNTS_MS 5000 /* what was read of a token, at most */
#define IDLE_MS 60000  /* without a call, open ones included: then it is forgotten */
#define NEVER_MS (INT64_MIN / 2)
#define SLOTS 1024
#define REFUSALS_LOGGED 10 /* a second */
#define OPEN_RETRY_MS 1000 /* when a token with too many calls open may try again */

struct entry {
    struct entry *next;
    struct rpc_identity identity; /* of a token that counts */
    unsigned char hash[TOKEN_HASH_SIZE];
    bool is_file, exists, revoked;
    int64_t read_ms;    /* when its reading began */
    int64_t expires_ms; /* INT64_MAX = never */
    int64_t used_ms;
    double level; /* calls that it may still make at once */
    int64_t level_ms;
    int64_t open; /* calls and streams of it */
};

struct access {
    struct access_options options;
    struct ticker *ticker; /* owned */
    pthread_mutex_t lock;
    struct entry *slots[SLOTS]; /* lock; owned */
    size_t count;               /* lock */
    struct access_stats stats;  /* lock */
    int64_t logged_second;      /* lock */
    int logged;                 /* lock: refusals in that second */
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

/* ---- entries; all need the lock ---- */

static struct entry **slot_of(struct access *access, const char *token_id)
{
    return &access->slots[facts_hash(token_id, "") % SLOTS];
}

static struct entry *find(struct access *access, const char *token_id)
{
    struct entry *entry = *slot_of(access, token_id);
    while (entry != NULL && strcmp(entry->identity.token, token_id) != 0)
        entry = entry->next;
    return entry;
}

/* NULL without memory. */
static struct entry *find_or_add(struct access *access, const char *token_id)
{
    struct entry *entry = find(access, token_id);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    struct entry **slot = slot_of(access, token_id);
    (void)snprintf(entry->identity.token, sizeof entry->identity.token, "%s", token_id);
    entry->level = (double)access->options.burst;
    entry->level_ms = entry->used_ms = now_ms();
    entry->read_ms = NEVER_MS;
    entry->next = *slot;
    *slot = entry;
    access->count++;
    return entry;
}

/* `token` NULL: it is not in the database. */
static void fill(struct entry *entry, const struct store_token *token, int64_t read_ms)
{
    struct rpc_identity *identity = &entry->identity;
    entry->read_ms = read_ms;
    entry->exists = token != NULL && token->hash_length == TOKEN_HASH_SIZE &&
                    role_from_name(token->role, &identity->access) &&
                    strlen(token->project) < sizeof identity->project &&
                    strlen(token->sweep_id) < sizeof identity->sweep;
    if (!entry->exists)
        return;
    memcpy(entry->hash, token->hash, TOKEN_HASH_SIZE);
    entry->revoked = token->revoked_us != 0;
    entry->expires_ms = token->expires ? read_ms + token->left_ms : INT64_MAX;
    (void)snprintf(identity->subject, sizeof identity->subject, "%s/%.48s", token->token_id, token->name);
    (void)snprintf(identity->project, sizeof identity->project, "%s", token->project);
    (void)snprintf(identity->sweep, sizeof identity->sweep, "%s", token->sweep_id);
}

static enum status judge(const struct entry *entry, int64_t at_ms, struct err *err)
{
    const char *id = entry->identity.token;
    if (entry->is_file)
        return STATUS_OK;
    if (!entry->exists)
        return err_set(err, STATUS_UNAUTHENTICATED, "the token is not known here");
    if (entry->revoked)
        return err_set(err, STATUS_UNAUTHENTICATED, "the token %s was revoked (ask for another)", id);
    if (entry->expires_ms <= at_ms)
        return err_set(err, STATUS_UNAUTHENTICATED, "the token %s has expired (ask for another)", id);
    return STATUS_OK;
}

/* Takes one call from what the token may make. */
static enum status spend(struct access *access, struct entry *entry, int64_t at_ms, int64_t *retry_ms,
                         struct err *err)
{
    double rate = (double)access->options.rate, burst = (double)access->options.burst;
    if (access->options.rate == 0)
        return STATUS_OK;
    entry->level += (double)(at_ms - entry->level_ms) * rate / 1000;
    entry->level = entry->level < burst ? entry->level : burst;
    entry->level_ms = at_ms;
    if (entry->level >= 1) {
        entry->level -= 1;
        return STATUS_OK;
    }
    access->stats.limited++;
    *retry_ms = (int64_t)((1 - entry->level) * 1000 / rate) + 1;
    return err_set(err, STATUS_EXHAUSTED,
                   "the token %s makes more than %" PRId64 " calls a second (try again in %" PRId64 " ms)",
                   entry->identity.subject, access->options.rate, *retry_ms);
}

/* ---- reading ---- */

struct reading {
    const char **ids;
    size_t id_count;
    struct store_token *tokens;
    size_t count;
};

static enum status read_tokens(struct store_tx *tx, void *context, struct err *err)
{
    struct reading *reading = context;
    return store_list_tokens_of(tx, reading->ids, reading->id_count, &reading->tokens, &reading->count, err);
}

static const struct store_token *token_of(const struct reading *reading, const char *token_id)
{
    for (size_t i = 0; i < reading->count; i++)
        if (strcmp(reading->tokens[i].token_id, token_id) == 0)
            return &reading->tokens[i];
    return NULL;
}

/* One token, for the call that shows it. */
static enum status read_one(struct access *access, const char *token_id, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct reading reading = {.ids = &token_id, .id_count = 1};
    int64_t read_ms = now_ms();
    TRY(gate_read(access->options.gate, &arena, read_tokens, &reading, err));
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find_or_add(access, token_id);
    if (entry != NULL && read_ms >= entry->read_ms)
        fill(entry, token_of(&reading, token_id), read_ms);
    access->stats.reads++;
    pthread_mutex_unlock(&access->lock);
    return entry != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* ---- calls ---- */

/* False: the token must be read first; what was read less than age_ms ago counts. */
static bool try_check(struct access *access, const char *token_id, const unsigned char *hash, int64_t age_ms,
                      struct rpc_identity *identity, enum status *status, struct err *err)
{
    int64_t at_ms = now_ms();
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find(access, token_id);
    bool known = entry != NULL && at_ms - entry->read_ms <= age_ms;
    if (known) {
        entry->used_ms = at_ms;
        *status = judge(entry, at_ms, err);
        if (*status == STATUS_OK && !token_hash_equal(entry->hash, hash))
            *status = err_set(err, STATUS_UNAUTHENTICATED, "the token is not known here");
        int64_t retry_ms = 0;
        if (*status == STATUS_OK)
            *status = spend(access, entry, at_ms, &retry_ms, err);
        *identity = entry->identity;
        identity->retry_ms = retry_ms;
    }
    pthread_mutex_unlock(&access->lock);
    return known;
}

static enum status check_made(struct access *access, const char *token, struct rpc_identity *identity,
                              struct err *err)
{
    char token_id[ID_SIZE];
    unsigned char hash[TOKEN_HASH_SIZE];
    enum status status = STATUS_OK;
    if (!token_text_read(access->options.keys, token, token_id, hash))
        return err_set(err, STATUS_UNAUTHENTICATED, "the token is not known here");
    if (try_check(access, token_id, hash, COUNTS_MS, identity, &status, err))
        return status;
    TRY(read_one(access, token_id, err));
    /* just read for this call, which does well with it even if it is to be read again for others */
    if (try_check(access, token_id, hash, INT64_MAX, identity, &status, err))
        return status;
    return err_set(err, STATUS_UNAVAILABLE, "the token was forgotten (try again)");
}

static enum status check_file(struct access *access, const char *token, struct rpc_identity *identity,
                              struct err *err)
{
    int64_t at_ms = now_ms();
    TRY(token_set_find(access->options.files, token, identity, err));
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find_or_add(access, identity->token);
    enum status status = STATUS_NO_MEMORY;
    if (entry != NULL) {
        entry->is_file = true;
        entry->identity = *identity;
        status = spend(access, entry, at_ms, &identity->retry_ms, err);
    }
    pthread_mutex_unlock(&access->lock);
    return status;
}

/* Who was let in has one call more open. */
static enum status take_place(struct access *access, struct rpc_identity *identity, struct err *err)
{
    int64_t most = access->options.open;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find(access, identity->token);
    if (entry == NULL) {
        status = err_set(err, STATUS_UNAVAILABLE, "the token was forgotten (try again)");
    } else if (most != 0 && entry->open >= most) {
        access->stats.limited++;
        identity->retry_ms = OPEN_RETRY_MS;
        status = err_set(err, STATUS_EXHAUSTED,
                         "the token %s has %" PRId64
                         " calls and streams open, the most that one may have (end some)",
                         identity->subject, most);
    } else {
        entry->open++;
    }
    pthread_mutex_unlock(&access->lock);
    return status;
}

void access_release(void *context, const struct rpc_identity *identity)
{
    struct access *access = context;
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find(access, identity->token);
    if (entry != NULL) {
        entry->open--;
        entry->used_ms = now_ms();
    }
    pthread_mutex_unlock(&access->lock);
}

/* Says who was refused and why, but not more often than a log can bear. Never the token. */
static void log_refusal(struct access *access, const char *token, const struct err *err)
{
    char id[ID_SIZE] = "";
    int64_t second = now_ms() / 1000;
    if (token != NULL)
        token_text_id(token, id);
    pthread_mutex_lock(&access->lock);
    uint64_t refused = ++access->stats.refused;
    if (second != access->logged_second)
        access->logged = 0;
    access->logged_second = second;
    bool told = access->logged++ < REFUSALS_LOGGED;
    pthread_mutex_unlock(&access->lock);
    if (told)
        log_warn(CONTROLLER_LOG, "caller_refused", LOG_TEXT("token", id),
                 LOG_INT("refused", (int64_t)refused), LOG_ERR(err));
}

enum status access_check(void *context, const char *token, const char *peer_name, unsigned roles,
                         struct rpc_identity *identity, struct err *err)
{
    struct access *access = context;
    enum status status;
    (void)peer_name;
    if (token == NULL)
        status = err_set(err, STATUS_UNAUTHENTICATED, "this call needs a token");
    else if (token_text_looks_made(token))
        status = check_made(access, token, identity, err);
    else
        status = check_file(access, token, identity, err);
    if (status == STATUS_OK)
        status = token_check_role(identity, roles, err);
    if (status == STATUS_OK)
        status = take_place(access, identity, err);
    if (status == STATUS_EXHAUSTED)
        controller_count(CONTROLLER_REFUSALS, REFUSAL_METRIC_LIMITED);
    if (status != STATUS_UNAUTHENTICATED && status != STATUS_DENIED)
        return status;
    controller_count(CONTROLLER_REFUSALS,
                     status == STATUS_DENIED ? REFUSAL_METRIC_DENIED : REFUSAL_METRIC_UNAUTHENTICATED);
    log_refusal(access, token, err);
    return status;
}

/* ---- the look at all of them ---- */

/* Of the database's tokens, copied; NULL without memory. */
static const char **list_ids(struct access *access, struct arena *arena, size_t *count)
{
    *count = 0;
    pthread_mutex_lock(&access->lock);
    const char **ids = arena_calloc(arena, access->count + 1, sizeof(*ids));
    for (size_t i = 0; ids != NULL && i < SLOTS; i++)
        for (const struct entry *entry = access->slots[i]; entry != NULL; entry = entry->next)
            if (!entry->is_file && (ids[*count] = arena_strdup(arena, entry->identity.token)) != NULL)
                ++*count;
    pthread_mutex_unlock(&access->lock);
    return ids;
}

static int compare_tokens(const void *a, const void *b)
{
    return strcmp(((const struct store_token *)a)->token_id, ((const struct store_token *)b)->token_id);
}

static void read_all(struct access *access)
{
    struct arena ids CLEANUP(arena_free) = arena_make(0);
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct reading reading = {.ids = NULL};
    struct err err = ERR_INIT;
    reading.ids = list_ids(access, &ids, &reading.id_count);
    int64_t read_ms = now_ms();
    if (reading.ids == NULL || reading.id_count == 0 ||
        store_read(access->options.store, &arena, read_tokens, &reading, &err) != STATUS_OK)
        return;
    if (reading.count > 0)
        qsort(reading.tokens, reading.count, sizeof *reading.tokens, compare_tokens);
    pthread_mutex_lock(&access->lock);
    for (size_t i = 0; i < reading.id_count; i++) {
        struct entry *entry = find(access, reading.ids[i]);
        const struct store_token key = {.token_id = reading.ids[i]};
        if (entry != NULL && read_ms > entry->read_ms)
            fill(entry,
                 reading.count == 0
                     ? NULL
                     : bsearch(&key, reading.tokens, reading.count, sizeof key, compare_tokens),
                 read_ms);
    }
    pthread_mutex_unlock(&access->lock);
}

static enum status may_stay(void *context, const struct rpc_identity *identity, struct err *err)
{
    struct access *access = context;
    int64_t at_ms = now_ms();
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find(access, identity->token);
    enum status status = STATUS_OK;
    if (entry != NULL) {
        entry->used_ms = at_ms;
        status = judge(entry, at_ms, err);
    }
    pthread_mutex_unlock(&access->lock);
    return status;
}

static void drop_idle(struct access *access)
{
    int64_t at_ms = now_ms();
    pthread_mutex_lock(&access->lock);
    for (size_t i = 0; i < SLOTS; i++)
        for (struct entry **at = &access->slots[i]; *at != NULL;) {
            struct entry *entry = *at;
            if (entry->open > 0 || at_ms - entry->used_ms <= IDLE_MS) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            access->count--;
            free(entry);
        }
    pthread_mutex_unlock(&access->lock);
}

static void look(void *context)
{
    struct access *access = context;
    read_all(access);
    if (access->options.server != NULL) {
        size_t ended = rpc_server_recheck(access->options.server, may_stay, access);
        if (ended > 0)
            log_info(CONTROLLER_LOG, "calls_ended", LOG_INT("calls", (int64_t)ended),
                     LOG_TEXT("reason", "their tokens no longer count"));
    }
    drop_idle(access);
}

void access_forget(struct access *access, const char *token_id)
{
    pthread_mutex_lock(&access->lock);
    struct entry *entry = find(access, token_id);
    if (entry != NULL)
        entry->read_ms = NEVER_MS;
    pthread_mutex_unlock(&access->lock);
    ticker_wake(access->ticker);
}

struct access_stats access_stats(struct access *access)
{
    pthread_mutex_lock(&access->lock);
    struct access_stats stats = access->stats;
    pthread_mutex_unlock(&access->lock);
    return stats;
}

/* ---- life ---- */

enum status access_start(const struct access_options *options, struct access **out, struct err *err)
{
    struct access *access = calloc(1, sizeof *access);
    *out = access;
    if (access == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    access->options = *options;
    pthread_mutex_init(&access->lock, NULL);
    enum status status = ticker_start("access", LOOK_MS, look, access, &access->ticker, err);
    if (status != STATUS_OK) {
        access_stop(access);
        *out = NULL;
    }
    return status;
}

void access_stop(struct access *access)
{
    if (access == NULL)
        return;
    ticker_stop(access->ticker);
    for (size_t i = 0; i < SLOTS; i++)
        while (access->slots[i] != NULL) {
            struct entry *entry = access->slots[i];
            access->slots[i] = entry->next;
            free(entry);
        }
    pthread_mutex_destroy(&access->lock);
    free(access);
}
