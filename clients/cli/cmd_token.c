// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "table.h"

struct token_options {
    struct connection_options connection;
    bool json;
    const char *role, *project, *sweep, *name;
    int64_t expires_ms;
};

static const struct {
    const char *name;
    Besom__V1__TokenRole role;
} roles[] = {
    {"admin", BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_ADMIN},
    {"writer", BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_WRITER},
    {"agent", BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_AGENT},
    {"reader", BESOM__V1__TOKEN_ROLE__TOKEN_ROLE_READER},
};

static const char *role_text(Besom__V1__TokenRole role)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (roles[i].role == role)
            return roles[i].name;
    return "unspecified";
}

static json_t *token_json(const Besom__V1__Token *token)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I}", "token_id", token->token_id, "name",
                     token->name, "role", role_text(token->role), "project", token->project, "sweep_id",
                     token->sweep_id, "state", token->state, "created_by", token->created_by, "created_us",
                     (json_int_t)token->created_us, "expires_us", (json_int_t)token->expires_us, "revoked_us",
                     (json_int_t)token->revoked_us);
}

/* ---- create ---- */

static int read_role(const struct token_options *options, Besom__V1__TokenRole *out)
{
    if (options->role == NULL)
        return cli_fail(CLI_USAGE, "token create: --role is missing (admin, writer, agent or reader)");
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (strcmp(roles[i].name, options->role) == 0) {
            *out = roles[i].role;
            return CLI_OK;
        }
    return cli_fail(CLI_USAGE, "token create: '%.40s' is no role (admin, writer, agent or reader)",
                    options->role);
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static int print_made(const struct token_options *options, const Besom__V1__CreateTokenResponse *response)
{
    char text[FORMAT_SIZE];
    const Besom__V1__Token *token = response->token;
    if (options->json) {
        json_t *object = token_json(token);
        if (object != NULL)
            json_object_set_new(object, "text", json_string(response->text));
        return entity_print_json(object);
    }
    puts(response->text);
    cli_note("Token %s (%s, %s%s%s%s) %s%s; it is shown only now", token->token_id, token->name,
             role_text(token->role), token->project[0] != '\0' ? ", project " : ", all projects",
             token->project, token->sweep_id[0] != '\0' ? ", one sweep" : "",
             token->expires_us != 0 ? "ends " : "lasts until it is revoked",
             format_time(token->expires_us, text));
    return CLI_OK;
}

static int create(const struct token_options *options, besom_client *client)
{
    Besom__V1__CreateTokenRequest request = BESOM__V1__CREATE_TOKEN_REQUEST__INIT;
    Besom__V1__CreateTokenResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    int code = read_role(options, &request.role);
    if (code != CLI_OK)
        return code;
    request.name = message_text(or_empty(options->name));
    request.project = message_text(or_empty(options->project));
    request.sweep_id = message_text(or_empty(options->sweep));
    request.expires_in_ms = options->expires_ms;
    if (besom_token_create(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot create a token");
    return print_made(options, response);
}

/* ---- list ---- */

static const struct table_column columns[] = {{"TOKEN", false},   {"NAME", false},    {"ROLE", false},
                                              {"PROJECT", false}, {"SWEEP", false},   {"STATE", false},
                                              {"CREATED", false}, {"EXPIRES", false}, {"BY", false}};

static void add_row(struct table *table, const Besom__V1__Token *token)
{
    char text[FORMAT_SIZE];
    bool valid = strcmp(token->state, "valid") == 0;
    table_add(table, token->token_id);
    table_add(table, token->name);
    table_add(table, role_text(token->role));
    table_add(table, token->project[0] != '\0' ? token->project : "-");
    table_add(table, token->sweep_id[0] != '\0' ? token->sweep_id : "-");
    table_add_styled(table, token->state, valid ? STYLE_GOOD : STYLE_DIM);
    table_add(table, format_ago(token->created_us, clock_wall_us(&clock_system), text));
    table_add(table, token->expires_us != 0 ? format_time(token->expires_us, text) : "never");
    table_add(table, token->created_by);
}

/* One page more; *page is the next one's, "" at the end. */
static int read_page(struct cli *cli, besom_client *client, const struct token_options *options,
                     const char **page, struct table *table, json_t *array)
{
    Besom__V1__ListTokensRequest request = BESOM__V1__LIST_TOKENS_REQUEST__INIT;
    Besom__V1__ListTokensResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.project = message_text(or_empty(options->project));
    request.page_size = 1000;
    request.page_token = message_text(*page);
    if (besom_token_list(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot list tokens");
    for (size_t i = 0; i < response->n_tokens; i++) {
        add_row(table, response->tokens[i]);
        json_array_append_new(array, token_json(response->tokens[i]));
    }
    *page = arena_strdup(&cli->arena, response->next_page_token);
    return *page != NULL ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

static int list(struct cli *cli, const struct token_options *options, besom_client *client)
{
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    json_t *array = json_array();
    const char *page = "";
    int code;
    do
        code = read_page(cli, client, options, &page, &table, array);
    while (code == CLI_OK && *page != '\0');
    if (code == CLI_OK && options->json)
        return entity_print_json(json_pack("{s:o}", "tokens", array));
    if (code == CLI_OK && json_array_size(array) == 0)
        cli_note("No tokens but those in files: besom token create --role ROLE makes one");
    else if (code == CLI_OK)
        table_print(&table);
    json_decref(array);
    return code;
}

/* ---- revoke ---- */

static int revoke(const struct token_options *options, besom_client *client, const char *token_id)
{
    Besom__V1__RevokeTokenRequest request = BESOM__V1__REVOKE_TOKEN_REQUEST__INIT;
    Besom__V1__RevokeTokenResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.token_id = message_text(token_id);
    if (besom_token_revoke(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot revoke a token");
    if (options->json)
        return entity_print_json(token_json(response->token));
    cli_note("Token %s (%s) is revoked: every controller refuses it within 5 s", response->token->token_id,
             response->token->name);
    return CLI_OK;
}

/* ---- */

/* "create", "list", "revoke ID", and nothing else. */
static int check_arguments(struct cli *cli, const char *verb)
{
    size_t count = cli->given->argument_count;
    bool revokes = strcmp(verb, "revoke") == 0;
    if (!revokes && strcmp(verb, "create") != 0 && strcmp(verb, "list") != 0)
        return cli_fail(CLI_USAGE, "token: '%.40s' is none of create, list and revoke", verb);
    if (revokes && (count < 2 || !id_is_valid(cli->given->arguments[1])))
        return cli_fail(CLI_USAGE,
                        "token revoke: give the token's id, the eight characters after \"besom_\"");
    if (!revokes && count > 1)
        return cli_fail(CLI_USAGE, "token %s: takes no argument '%.40s'", verb, cli->given->arguments[1]);
    return CLI_OK;
}

static int run_token(struct cli *cli, void *given)
{
    const struct token_options *options = given;
    const char *verb = cli->given->arguments[0];
    besom_client *client CLEANUP(connection_close) = NULL;
    int code = check_arguments(cli, verb);
    if (code == CLI_OK)
        code = connection_open(&options->connection, &client);
    if (code != CLI_OK)
        return code;
    if (strcmp(verb, "create") == 0)
        return create(options, client);
    if (strcmp(verb, "list") == 0)
        return list(cli, options, client);
    return revoke(options, client, cli->given->arguments[1]);
}

static const struct config_key keys[] = {
    {.name = "role",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct token_options, role),
     .value_name = "ROLE",
     .help = "create: admin, writer, agent or reader"},
    {.name = "project",
     .letter = 'p',
     .type = CONFIG_TEXT,
     .offset = offsetof(struct token_options, project),
     .value_name = "NAME",
     .help = "create: sees nothing but this project; list: only tokens of it"},
    {.name = "sweep",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct token_options, sweep),
     .value_name = "ID",
     .help = "create: sees nothing but this sweep"},
    {.name = "expires",
     .type = CONFIG_DURATION_MS,
     .offset = offsetof(struct token_options, expires_ms),
     .value_name = "TIME",
     .min = 0,
     .max = INT64_C(3660) * 86400000,
     .help = "create: ends after this time, such as 30d or 12h; unset: lasts until it is revoked"},
    {.name = "name",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct token_options, name),
     .value_name = "NAME",
     .help = "create: what it is called in lists and in the audit trail; unset: as the role"},
    JSON_KEY(struct token_options),
    CONNECTION_KEYS(struct token_options),
};

const struct cli_command cmd_token = {
    .name = "token",
    .group = "Operate",
    .usage = "besom token create --role ROLE [options] | besom token list | besom token revoke ID",
    .summary = "Make, list and revoke tokens (docs/tokens.md says what each role may do)\n"
               "A new token goes to stdout, once: the controller keeps only a hash of it. Needs an admin's "
               "token.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct token_options),
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run_token,
};
