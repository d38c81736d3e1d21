// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "resolve.h"
#include "run_columns.h"
#include "run_query.h"

struct runs_options {
    struct connection_options connection;
    bool json;
    const char *order;
    const char *sort;
    const char *columns;
    struct run_query_options query;
};

static int parse_order(const char *name, Besom__V1__RunOrder *out)
{
    static const struct {
        const char *name;
        Besom__V1__RunOrder order;
    } orders[] = {{"ordinal", BESOM__V1__RUN_ORDER__RUN_ORDER_UNSPECIFIED},
                  {"best", BESOM__V1__RUN_ORDER__RUN_ORDER_OBJECTIVE},
                  {"newest", BESOM__V1__RUN_ORDER__RUN_ORDER_NEWEST}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        if (strcmp(orders[i].name, name) == 0) {
            *out = orders[i].order;
            return CLI_OK;
        }
    return cli_fail(CLI_USAGE, "runs: --order: '%.40s' is none of ordinal, best, newest", name);
}

/* Everything that can be told to be wrong without a server. */
static int prepare(struct cli *cli, struct runs_options *options, struct run_query *query,
                   struct run_columns *columns)
{
    int code = run_query_prepare(cli, "runs", &options->query, query);
    if (code == CLI_OK)
        code = parse_order(options->order, &query->request.order);
    query->whole = options->json || options->sort != NULL || options->columns != NULL;
    if (code == CLI_OK && options->sort != NULL)
        code = run_list_check_sort(cli, "runs", options->sort);
    if (code == CLI_OK && options->columns != NULL)
        code = run_columns_parse(cli, "runs", options->columns, columns);
    return code;
}

static json_t *whole_runs(const struct run_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, entity_run_json(list->views[i].run));
    return array;
}

static int expand(struct cli *cli, struct run_columns *columns, struct run_list *list)
{
    struct run_leaves leaves CLEANUP(run_leaves_release) = {.params = NULL};
    for (size_t i = 0; i < list->count && run_columns_have_patterns(columns); i++) {
        run_leaves_add(&leaves, &list->views[i]);
        run_view_release(&list->views[i]);
    }
    return run_columns_expand(cli, columns, &leaves);
}

static int print_list(struct cli *cli, const struct runs_options *options, struct run_columns *columns,
                      struct run_list *list)
{
    bool chosen = options->columns != NULL;
    int code = CLI_OK;
    if (options->json && !chosen)
        return entity_print_json(json_pack("{s:o}", "runs", whole_runs(list)));
    code = chosen ? expand(cli, columns, list) : run_columns_default(cli, list, columns);
    if (code != CLI_OK)
        return code;
    if (chosen)
        run_columns_note_unknown(columns, list);
    if (options->json)
        return entity_print_json(json_pack("{s:o}", "runs", run_columns_json(columns, list)));
    if (list->count > 0)
        run_columns_print(cli, columns, list);
    return CLI_OK;
}

static void note_empty(const struct runs_options *options, const struct run_query *query,
                       const char *sweep_id)
{
    if (options->query.filter != NULL || options->query.states.count > 0)
        cli_note("No run matches");
    else
        cli_note("No runs yet: besom agent %s takes some", sweep_id);
    run_query_note_unknown(query);
}

static int run_runs(struct cli *cli, void *given)
{
    struct runs_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    struct run_query query CLEANUP(run_query_release) = {.cli = NULL};
    struct run_list list CLEANUP(run_list_release) = {.messages = NULL};
    struct run_columns columns = {.names = NULL};
    const char *sweep_id = NULL;
    int64_t limit = options->query.limit;
    if (options->sort != NULL)
        options->query.limit = 0; /* the first of all, once they are sorted */
    int code = prepare(cli, options, &query, &columns);
    if (code == CLI_OK)
        code = resolve_sweep(&options->connection, cli->given->arguments[0], &client, &sweep_id);
    if (code == CLI_OK)
        code = run_query_collect(&query, client, sweep_id, &list);
    if (code == CLI_OK && options->sort != NULL)
        code = run_list_sort(cli, "runs", options->sort, &list);
    if (code != CLI_OK)
        return code;
    if (options->sort != NULL && limit > 0 && list.count > (size_t)limit)
        list.count = (size_t)limit;
    if (list.count == 0 && !options->json)
        note_empty(options, &query, sweep_id);
    return print_list(cli, options, &columns, &list);
}

static const struct config_key keys[] = {
    RUN_FILTER_KEY(struct runs_options),
    RUN_STATE_KEY(struct runs_options),
    {.name = "sort",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct runs_options, sort),
     .value_name = "KEY,...",
     .help = "by these names, each ascending, or descending as -KEY or KEY:desc; what is missing comes last"},
    {.name = "order",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct runs_options, order),
     .initial = "ordinal",
     .value_name = "ORDER",
     .help = "ordinal, best or newest; with --sort of those that are alike"},
    {.name = "columns",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct runs_options, columns),
     .value_name = "NAME,...",
     .help = "these columns, also of --json; params.*, summary.* and config.* are all of them"},
    {.name = "limit",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct runs_options, query.limit),
     .value_name = "N",
     .min = 0,
     .max = 1000000000,
     .help = "most runs to list; 0 = all"},
    JSON_KEY(struct runs_options),
    CONNECTION_KEYS(struct runs_options),
};

const struct cli_command cmd_runs = {
    .name = "runs",
    .group = "Look",
    .usage = "besom runs [options] SWEEP",
    .summary = "List the runs of a sweep\n"
               "Runs that were never handed out are listed only with --state pending.",
    .footer = RUN_FILTER_HELP
    "\nExample: besom runs SWEEP --filter 'state == finished and val_loss < 0.3' --sort val_loss "
    "--columns id,val_loss,params.*",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct runs_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_runs,
};
