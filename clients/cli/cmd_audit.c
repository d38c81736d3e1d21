// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "table.h"

struct audit_options {
    struct connection_options connection;
    bool json;
    const char *project;
    int64_t since_ms, limit;
};

static const struct table_column columns[] = {{"TIME", false},    {"EVENT", false}, {"BY", false},
                                              {"PROJECT", false}, {"SWEEP", false}, {"SUBJECT", false},
                                              {"DETAIL", false}};

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void add_row(struct table *table, const Besom__V1__Event *event)
{
    char text[FORMAT_SIZE];
    table_add(table, format_time(event->happened_us, text));
    table_add(table, event->kind);
    table_add(table, or_dash(event->actor));
    table_add(table, or_dash(event->project));
    table_add(table, or_dash(event->sweep_id));
    table_add(table, or_dash(event->subject));
    table_add(table, or_dash(event->detail));
}

static json_t *event_json(const Besom__V1__Event *event)
{
    return json_pack("{s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:s}", "event_id", (json_int_t)event->event_id,
                     "happened_us", (json_int_t)event->happened_us, "kind", event->kind, "actor",
                     event->actor, "project", event->project, "sweep_id", event->sweep_id, "subject",
                     event->subject, "detail", event->detail);
}

/* One page more; *page is the next one's, "" at the end or when `left` is used up. */
static int read_page(struct cli *cli, besom_client *client, Besom__V1__ListEventsRequest *request,
                     const char **page, int64_t *left, struct table *table, json_t *array)
{
    Besom__V1__ListEventsResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request->page_size = *left > 0 && *left < 1000 ? (int32_t)*left : 1000;
    request->page_token = message_text(*page);
    if (besom_event_list(client, request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot read the audit trail");
    for (size_t i = 0; i < response->n_events; i++) {
        add_row(table, response->events[i]);
        json_array_append_new(array, event_json(response->events[i]));
    }
    *page = arena_strdup(&cli->arena, response->next_page_token);
    if (*page == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    if (*left > 0 && (*left -= (int64_t)response->n_events) <= 0)
        *page = "";
    return CLI_OK;
}

static int run_audit(struct cli *cli, void *given)
{
    const struct audit_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    Besom__V1__ListEventsRequest request = BESOM__V1__LIST_EVENTS_REQUEST__INIT;
    const char *page = "";
    int64_t left = options->limit;
    if (cli->given->argument_count > 0)
        request.about = message_text(cli->given->arguments[0]);
    if (options->project != NULL)
        request.project = message_text(options->project);
    if (options->since_ms > 0)
        request.since_us = clock_wall_us(&clock_system) - options->since_ms * 1000;
    int code = connection_open(&options->connection, &client);
    if (code != CLI_OK)
        return code;
    json_t *array = json_array();
    do
        code = read_page(cli, client, &request, &page, &left, &table, array);
    while (code == CLI_OK && *page != '\0');
    if (code == CLI_OK && options->json)
        return entity_print_json(json_pack("{s:o}", "events", array));
    if (code == CLI_OK && json_array_size(array) == 0)
        cli_note("No such events");
    else if (code == CLI_OK)
        table_print(&table);
    json_decref(array);
    return code;
}

static const struct config_key keys[] = {
    {.name = "since",
     .type = CONFIG_DURATION_MS,
     .offset = offsetof(struct audit_options, since_ms),
     .value_name = "TIME",
     .min = 0,
     .max = INT64_C(36600) * 86400000,
     .help = "only what happened in the last TIME, such as 12h or 7d, by this machine's clock"},
    {.name = "project",
     .letter = 'p',
     .type = CONFIG_TEXT,
     .offset = offsetof(struct audit_options, project),
     .value_name = "NAME",
     .help = "only events of this project"},
    {.name = "limit",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct audit_options, limit),
     .initial = "100",
     .value_name = "N",
     .min = 0,
     .max = 1000000,
     .help = "most events to show, newest first; 0 = all"},
    JSON_KEY(struct audit_options),
    CONNECTION_KEYS(struct audit_options),
};

const struct cli_command cmd_audit = {
    .name = "audit",
    .group = "Operate",
    .usage = "besom audit [options] [ID]",
    .summary =
        "Show who changed what, newest first\n"
        "With an ID: what was done to this sweep, run or token, or by this token or agent. For admins, "
        "and for\n"
        "writers what concerns their project.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct audit_options),
    .arguments_max = 1,
    .run = run_audit,
};
