// SPDX-License-Identifier: GPL-3.0-or-later
/* TokenService: make, list and revoke tokens; read the audit trail. */
#include <besom/v1/token_service.pb-c.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "db/store/tokens.h"
#include "services/common/roles.h"
#include "services/controller/access.h"
#include "services/controller/handlers.h"
#include "services/controller/page.h"
#include "services/controller/picture.h"
#include "services/controller/request.h"
#include "services/controller/sweep_source.h"

#define NAME_MAX_BYTES 40
#define ABOUT_MAX_BYTES 64
#define LIFE_MAX_MS (INT64_C(10) * 366 * 86400000)

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static struct store_reach reach_of(const struct request *request)
{
    const struct rpc_identity *caller = rpc_call_identity(request->call);
    return (struct store_reach){caller->project, caller->sweep};
}

static const char *caller_of(const struct request *request)
{
    return rpc_call_identity(request->call)->subject;
}

/* ---- tokens as messages ---- */

static const struct {
    Besom__V1__TokenRole message;
    unsigned role;
} ROLES[] = {
    {BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_ADMIN, ROLE_ADMIN},
    {BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_WRITER, ROLE_WRITER},
    {BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_AGENT, ROLE_AGENT},
    {BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_READER, ROLE_READER},
};

static Besom__V1__TokenRole message_role(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++)
        if (strcmp(role_name(ROLES[i].role), name) == 0)
            return ROLES[i].message;
    return BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_UNSPECIFIED;
}

static const char *state_of(const struct request *request, const struct store_token *token)
{
    if (token->revoked_us != 0)
        return "revoked";
    if (token->expires && token->left_ms <= 0)
        return "expired";
    return token_keys_has(request->controller->token_keys, token->key_id) ? "valid" : "key lost";
}

static Besom__V1__Token *message_of_token(const struct request *request, struct arena *arena,
                                          const struct store_token *token)
{
    Besom__V1__Token *message = MESSAGE_NEW(arena, Besom__V1__Token, besom__v1__token__init);
    if (message == NULL)
        return NULL;
    message->token_id = message_text(token->token_id);
    message->name = message_text(token->name);
    message->role = message_role(token->role);
    message->project = message_text(token->project);
    message->sweep_id = message_text(token->sweep_id);
    message->created_by = message_text(token->created_by);
    message->created_us = token->created_us;
    message->expires_us = token->expires_us;
    message->revoked_us = token->revoked_us;
    message->state = message_text(state_of(request, token));
    return message;
}

/* ---- CreateToken ---- */

struct minting {
    char token_id[ID_SIZE], text[TOKEN_TEXT_SIZE], key_id[TOKEN_KEY_ID_SIZE];
    unsigned char hash[TOKEN_HASH_SIZE];
    const char *role;
};

static enum status check_name(const char *name, struct err *err)
{
    if (strlen(name) > NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a token's name may have %d bytes", NAME_MAX_BYTES);
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '/')
            return err_set(err, STATUS_INVALID, "a token's name has no slash and no control characters");
    return STATUS_OK;
}

static enum status check_bounds(const struct request *request, const Besom__V1__CreateTokenRequest *message,
                                struct err *err)
{
    if (strlen(message->project) > SWEEP_NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a project's name may have %d bytes", SWEEP_NAME_MAX_BYTES);
    if (message->project[0] != '\0')
        TRY(request_allow_project(rpc_call_identity(request->call), message->project, err));
    if (message->sweep_id[0] == '\0')
        return STATUS_OK;
    if (message->role == BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_ADMIN)
        return err_set(err, STATUS_INVALID, "an admin's token cannot be bound to a sweep (use a writer's)");
    return request_check_sweep(request, message->sweep_id, err);
}

static enum status check_create(struct request *request, struct err *err)
{
    const Besom__V1__CreateTokenRequest *message = request->message;
    struct minting *minting = arena_calloc(request->kept, 1, sizeof *minting);
    if (minting == NULL)
        return no_memory(err);
    request->state = minting;
    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++)
        if (ROLES[i].message == message->role)
            minting->role = role_name(ROLES[i].role);
    if (minting->role == NULL)
        return err_set(err, STATUS_INVALID, "role %d is not known", (int)message->role);
    TRY(check_name(message->name, err));
    if (message->expires_in_ms < 0 || message->expires_in_ms > LIFE_MAX_MS)
        return err_set(err, STATUS_INVALID, "a token's life is at most ten years (0 = until it is revoked)");
    TRY(check_bounds(request, message, err));
    if (token_keys_count(request->controller->token_keys) == 0)
        return err_set(err, STATUS_PRECONDITION,
                       "the controller has no key to make tokens with (give it --token-key-file)");
    id_make(&random_system, minting->token_id);
    token_text_make(request->controller->token_keys, minting->token_id, minting->text, minting->hash,
                    minting->key_id);
    return STATUS_OK;
}

/* The project that the token is bound to: the one that was asked for, the sweep's, the caller's. */
static enum status find_project(struct store_tx *tx, const struct request *request, const char **out,
                                struct err *err)
{
    const Besom__V1__CreateTokenRequest *message = request->message;
    struct store_sweep sweep;
    *out = message->project[0] != '\0' ? message->project : rpc_call_identity(request->call)->project;
    if (message->sweep_id[0] == '\0')
        return STATUS_OK;
    TRY(picture_get_sweep(tx, message->sweep_id, false, &sweep, err));
    if ((*out)[0] != '\0' && strcmp(*out, sweep.project) != 0)
        return err_set(err, STATUS_INVALID, "sweep %s is not of project %s", message->sweep_id, *out);
    *out = sweep.project;
    return STATUS_OK;
}

static enum status tell_creation(struct store_tx *tx, const struct request *request,
                                 const struct store_token_new *token, struct err *err)
{
    const char *detail = arena_printf(store_tx_arena(tx), "%s %s%s%s%s%s", token->role, token->name,
                                      token->project[0] != '\0' ? ", project " : "", token->project,
                                      token->sweep_id[0] != '\0' ? ", sweep " : "", token->sweep_id);
    if (detail == NULL)
        return no_memory(err);
    return store_add_token_event(tx, "token_created", caller_of(request), token->token_id, token->project,
                                 token->sweep_id, detail, err);
}

static enum status run_create(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__CreateTokenRequest *message = request->message;
    const struct minting *minting = request->state;
    struct store_token_new token = {
        .token_id = minting->token_id,
        .key_id = minting->key_id,
        .name = message->name[0] != '\0' ? message->name : minting->role,
        .role = minting->role,
        .sweep_id = message->sweep_id,
        .created_by = caller_of(request),
        .hash = minting->hash,
        .hash_length = sizeof minting->hash,
        .life_ms = message->expires_in_ms,
    };
    struct store_token *stored;
    size_t count;
    Besom__V1__CreateTokenResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__CreateTokenResponse,
                                                           besom__v1__create_token_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(find_project(tx, request, &token.project, err));
    TRY(store_create_token(tx, &token, err));
    TRY(tell_creation(tx, request, &token, err));
    TRY(store_list_tokens_of(tx, &token.token_id, 1, &stored, &count, err));
    response->token = count == 1 ? message_of_token(request, store_tx_arena(tx), &stored[0]) : NULL;
    if (response->token == NULL)
        return no_memory(err);
    response->text = message_text(minting->text);
    request->response = &response->base;
    return STATUS_OK;
}

static void after_create(struct request *request)
{
    const struct minting *minting = request->state;
    log_info(CONTROLLER_LOG, "token_created", LOG_TEXT("token", minting->token_id),
             LOG_TEXT("role", minting->role), LOG_TEXT("by", caller_of(request)));
}

static const struct request_plan create_token_plan = {
    .check = check_create, .run = run_create, .after = after_create};
REQUEST_HANDLER(create_token)

/* ---- ListTokens; the page token is "TIME:ID" of the last entry ---- */

static enum status run_list(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__ListTokensRequest *message = request->message;
    struct arena *arena = store_tx_arena(tx);
    const struct store_reach reach = reach_of(request);
    struct store_token *tokens;
    struct page_mark after;
    size_t count;
    int limit = 0;
    Besom__V1__ListTokensResponse *response =
        MESSAGE_NEW(arena, Besom__V1__ListTokensResponse, besom__v1__list_tokens_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(page_size(message->page_size, &limit, err));
    TRY(page_read_mark(message->page_token, "ListTokens", &after, err));
    TRY(store_list_tokens(tx, message->project, &reach, after.us, after.id, limit + 1, &tokens, &count, err));
    size_t shown = count > (size_t)limit ? (size_t)limit : count;
    response->tokens = arena_calloc(arena, shown + 1, sizeof(*response->tokens));
    for (size_t i = 0; response->tokens != NULL && i < shown; i++)
        if ((response->tokens[response->n_tokens] = message_of_token(request, arena, &tokens[i])) != NULL)
            response->n_tokens++;
    if (response->tokens == NULL || response->n_tokens < shown)
        return no_memory(err);
    if (shown < count)
        response->next_page_token =
            page_write_mark(arena, tokens[shown - 1].created_us, tokens[shown - 1].token_id);
    request->response = &response->base;
    return response->next_page_token != NULL ? STATUS_OK : no_memory(err);
}

static const struct request_plan list_tokens_plan = {.run = run_list, .read_only = true};
REQUEST_HANDLER(list_tokens)

/* ---- RevokeToken ---- */

static enum status check_revoke(struct request *request, struct err *err)
{
    const Besom__V1__RevokeTokenRequest *message = request->message;
    if (id_is_valid(message->token_id))
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "\"%.16s\" is no id of a token (eight lower-case letters and digits)",
                   message->token_id);
}

static enum status run_revoke(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__RevokeTokenRequest *message = request->message;
    const struct store_reach reach = reach_of(request);
    struct store_token token;
    bool revoked;
    Besom__V1__RevokeTokenResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__RevokeTokenResponse,
                                                           besom__v1__revoke_token_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(store_revoke_token(tx, message->token_id, &reach, &revoked, &token, err));
    if (revoked)
        TRY(store_add_token_event(tx, "token_revoked", caller_of(request), token.token_id, token.project,
                                  token.sweep_id, token.name, err));
    response->token = message_of_token(request, store_tx_arena(tx), &token);
    request->response = &response->base;
    return response->token != NULL ? STATUS_OK : no_memory(err);
}

static void after_revoke(struct request *request)
{
    const Besom__V1__RevokeTokenRequest *message = request->message;
    log_info(CONTROLLER_LOG, "token_revoked", LOG_TEXT("token", message->token_id),
             LOG_TEXT("by", caller_of(request)));
    if (request->controller->access != NULL)
        access_forget(request->controller->access, message->token_id);
}

static const struct request_plan revoke_token_plan = {
    .check = check_revoke, .run = run_revoke, .after = after_revoke};
REQUEST_HANDLER(revoke_token)

/* ---- ListEvents; the page token is the number of the last entry ---- */

static enum status read_filter(const struct request *request, struct store_event_filter *out, struct err *err)
{
    const Besom__V1__ListEventsRequest *message = request->message;
    *out = (struct store_event_filter){
        .project = message->project,
        .about = message->about,
        .since_us = message->since_us,
        /* who may make no tokens sees nothing of them */
        .tokens = (rpc_call_identity(request->call)->access & ROLE_ADMIN) != 0,
    };
    if (strlen(message->about) > ABOUT_MAX_BYTES || message->since_us < 0)
        return err_set(err, STATUS_INVALID, "about may have %d bytes, and no time is before 1970",
                       ABOUT_MAX_BYTES);
    TRY(page_size(message->page_size, &out->limit, err));
    return page_read_number(message->page_token, "ListEvents", 1, &out->before, err);
}

static Besom__V1__Event *message_of_event(struct arena *arena, const struct store_event *event)
{
    Besom__V1__Event *message = MESSAGE_NEW(arena, Besom__V1__Event, besom__v1__event__init);
    if (message == NULL)
        return NULL;
    message->event_id = event->event_id;
    message->happened_us = event->happened_us;
    message->kind = message_text(event->kind);
    message->actor = message_text(event->actor);
    message->project = message_text(event->project);
    message->sweep_id = message_text(event->sweep_id);
    message->subject = message_text(event->subject);
    message->detail = message_text(event->detail);
    return message;
}

static enum status run_list_events(struct store_tx *tx, struct request *request, struct err *err)
{
    struct arena *arena = store_tx_arena(tx);
    const struct store_reach reach = reach_of(request);
    struct store_event_filter filter;
    struct store_event *events;
    size_t count;
    Besom__V1__ListEventsResponse *response =
        MESSAGE_NEW(arena, Besom__V1__ListEventsResponse, besom__v1__list_events_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(read_filter(request, &filter, err));
    size_t limit = (size_t)filter.limit++;
    TRY(store_list_events(tx, &filter, &reach, &events, &count, err));
    size_t shown = count > limit ? limit : count;
    response->events = arena_calloc(arena, shown + 1, sizeof(*response->events));
    for (size_t i = 0; response->events != NULL && i < shown; i++)
        if ((response->events[response->n_events] = message_of_event(arena, &events[i])) != NULL)
            response->n_events++;
    if (response->events == NULL || response->n_events < shown)
        return no_memory(err);
    if (shown < count)
        response->next_page_token = arena_printf(arena, "%" PRId64, events[shown - 1].event_id);
    request->response = &response->base;
    return response->next_page_token != NULL ? STATUS_OK : no_memory(err);
}

static const struct request_plan list_events_plan = {.run = run_list_events, .read_only = true};
REQUEST_HANDLER(list_events)
