// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/tokens.h"

#include <string.h>

#include "db/store/query.h"

static const struct field NEW_FIELDS[] = {
    FIELD(TEXT, struct store_token_new, token_id),
    FIELD_WITH(BYTES, struct store_token_new, hash, hash_length),
    FIELD(TEXT, struct store_token_new, key_id),
    FIELD(TEXT, struct store_token_new, name),
    FIELD(TEXT, struct store_token_new, role),
    FIELD(TEXT, struct store_token_new, project),
    FIELD(TEXT, struct store_token_new, sweep_id),
    FIELD(TEXT, struct store_token_new, created_by),
    FIELD(I64, struct store_token_new, life_ms),
};
static const struct field TOKEN_FIELDS[] = {
    FIELD(TEXT, struct store_token, token_id),   FIELD_WITH(BYTES, struct store_token, hash, hash_length),
    FIELD(TEXT, struct store_token, key_id),     FIELD(TEXT, struct store_token, name),
    FIELD(TEXT, struct store_token, role),       FIELD(TEXT, struct store_token, project),
    FIELD(TEXT, struct store_token, sweep_id),   FIELD(TEXT, struct store_token, created_by),
    FIELD(TIME, struct store_token, created_us), FIELD(TIME, struct store_token, expires_us),
    FIELD(TIME, struct store_token, revoked_us), FIELD_WITH(MAYBE_I64, struct store_token, left_ms, expires),
};
#define TOKEN SHAPE(struct store_token, TOKEN_FIELDS)

static const struct field EVENT_FIELDS[] = {
    FIELD(I64, struct store_event, event_id), FIELD(TIME, struct store_event, happened_us),
    FIELD(TEXT, struct store_event, kind),    FIELD(TEXT, struct store_event, actor),
    FIELD(TEXT, struct store_event, project), FIELD(TEXT, struct store_event, sweep_id),
    FIELD(TEXT, struct store_event, subject), FIELD(TEXT, struct store_event, detail),
};

enum status store_create_token(struct store_tx *tx, const struct store_token_new *token, struct err *err)
{
    struct params params = params_begin(tx);
    int64_t affected = 0;
    params_row(&params, SHAPE(struct store_token_new, NEW_FIELDS), token);
    TRY(query_change(tx, QUERY_CREATE_TOKEN, &params, &affected, err));
    if (affected == 0)
        return err_set(err, STATUS_CONFLICT, "token %s exists (try again)", token->token_id);
    return STATUS_OK;
}

enum status store_list_tokens(struct store_tx *tx, const char *project, const struct store_reach *reach,
                              int64_t after_us, const char *after_id, int limit, struct store_token **out,
                              size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_page(&params, project, after_us, after_id, limit);
    params_text(&params, reach != NULL ? reach->project : "");
    return query_rows(tx, QUERY_LIST_TOKENS, &params, TOKEN, out, count, err);
}

enum status store_list_tokens_of(struct store_tx *tx, const char *const *token_ids, size_t id_count,
                                 struct store_token **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_texts(&params, token_ids, id_count);
    return query_rows(tx, QUERY_LIST_TOKENS_OF, &params, TOKEN, out, count, err);
}

enum status store_revoke_token(struct store_tx *tx, const char *token_id, const struct store_reach *reach,
                               bool *revoked, struct store_token *out, struct err *err)
{
    const char *project = reach != NULL ? reach->project : "";
    struct params params = params_begin(tx);
    struct store_token *tokens;
    int64_t affected = 0;
    size_t count;
    params_text(&params, token_id);
    params_text(&params, project);
    TRY(query_change(tx, QUERY_REVOKE_TOKEN, &params, &affected, err));
    TRY(store_list_tokens_of(tx, &token_id, 1, &tokens, &count, err));
    if (count == 0 || (project[0] != '\0' && strcmp(tokens[0].project, project) != 0))
        return err_set(err, STATUS_NOT_FOUND, "there is no token %s", token_id);
    *revoked = affected > 0;
    *out = tokens[0];
    return STATUS_OK;
}

enum status store_add_token_event(struct store_tx *tx, const char *kind, const char *actor,
                                  const char *token_id, const char *project, const char *sweep_id,
                                  const char *detail, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, kind);
    params_text(&params, actor);
    params_text(&params, token_id);
    params_text(&params, detail);
    params_text(&params, project);
    return query_change(tx, QUERY_ADD_TOKEN_EVENT, &params, NULL, err);
}

enum status store_list_events(struct store_tx *tx, const struct store_event_filter *filter,
                              const struct store_reach *reach, struct store_event **out, size_t *count,
                              struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, filter->project);
    params_text(&params, filter->about);
    params_time(&params, filter->since_us);
    params_i64(&params, filter->before);
    params_i32(&params, filter->limit);
    params_reach(&params, reach);
    params_bool(&params, filter->tokens);
    return query_rows(tx, QUERY_LIST_EVENTS, &params, SHAPE(struct store_event, EVENT_FIELDS), out, count,
                      err);
}
