/*
 * Tokens, as the hashes of their texts, and the audit trail as it is read.
 * What a role may do is not known here.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_TOKENS_H
#define BESOM_DB_STORE_TOKENS_H

#include <stddef.h>

#include "db/store/store.h"

struct store_token_new {
    const char *token_id, *key_id, *name, *role, *project, *sweep_id, *created_by;
    const void *hash;
    size_t hash_length;
    int64_t life_ms; /* 0 = for ever */
};
/* Once more with the same hash is harmless. CONFLICT when another token has the id. */
enum status store_create_token(struct store_tx *tx, const struct store_token_new *token,
                               struct err *err) MUST_USE;

struct store_token {
    const char *token_id, *key_id, *name, *role, *project, *sweep_id, *created_by;
    const void *hash;
    size_t hash_length;
    int64_t created_us, expires_us, revoked_us; /* 0 = never */
    bool expires;
    int64_t left_ms; /* until it expires, by the database's clock; <= 0 = it has */
};
/* Newest first, after (created_us, token_id) when after_id is not NULL; project "" = all. `reach` NULL =
 * everything; its sweep is not looked at. */
enum status store_list_tokens(struct store_tx *tx, const char *project, const struct store_reach *reach,
                              int64_t after_us, const char *after_id, int limit, struct store_token **out,
                              size_t *count, struct err *err) MUST_USE;
/* Those of the ids that exist, in no order. */
enum status store_list_tokens_of(struct store_tx *tx, const char *const *token_ids, size_t id_count,
                                 struct store_token **out, size_t *count, struct err *err) MUST_USE;
/* *revoked false: it was already. NOT_FOUND, also for one of another project than `reach` has. */
enum status store_revoke_token(struct store_tx *tx, const char *token_id, const struct store_reach *reach,
                               bool *revoked, struct store_token *out, struct err *err) MUST_USE;

/* A line of the audit trail about a token, of its project and sweep. */
enum status store_add_token_event(struct store_tx *tx, const char *kind, const char *actor,
                                  const char *token_id, const char *project, const char *sweep_id,
                                  const char *detail, struct err *err) MUST_USE;

struct store_event {
    int64_t event_id, happened_us;
    const char *kind, *actor, *project, *sweep_id, *subject, *detail;
};
struct store_event_filter {
    const char *project, *about; /* "" = all; a sweep, run, agent or token, as the matter or the actor */
    int64_t since_us;            /* 0 = all */
    int64_t before;              /* event_id; 0 = from the newest */
    bool tokens;                 /* events of tokens, too */
    int limit;
};
/* Newest first. `reach` NULL = everything. */
enum status store_list_events(struct store_tx *tx, const struct store_event_filter *filter,
                              const struct store_reach *reach, struct store_event **out, size_t *count,
                              struct err *err) MUST_USE;

#endif
