// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "entity.h"
#include "meter.h"
#include "resolve.h"

#define PAGE_MAX 1000
#define LOOKED_AT_MAX 20

static int add_state(struct run_query *query, const char *word)
{
    const char *names[BESOM__V1__RUN_STATE__RUN_STATE_CRASHED];
    size_t count = 0;
    struct buffer all CLEANUP(buffer_free) = BUFFER_INIT;
    for (int state = 1; state <= BESOM__V1__RUN_STATE__RUN_STATE_CRASHED; state++) {
        names[count++] = entity_run_state((Besom__V1__RunState)state);
        buffer_printf(&all, "%s%s", state > 1 ? ", " : "", names[count - 1]);
        if (strcmp(names[count - 1], word) != 0)
            continue;
        if (query->request.n_states < ARRAY_LEN(query->states))
            query->states[query->request.n_states++] = (Besom__V1__RunState)state;
        return CLI_OK;
    }
    const char *meant = config_suggest(word, names, count);
    return cli_fail(CLI_USAGE, "%s: --state: '%.40s' is no state of a run (%s%s%s)", query->command, word,
                    meant != NULL ? "did you mean '" : "", meant != NULL ? meant : buffer_text(&all),
                    meant != NULL ? "'?" : "");
}

static int parse_states(struct run_query *query)
{
    int code = CLI_OK;
    for (size_t i = 0; i < query->options->states.count && code == CLI_OK; i++) {
        char *rest = NULL, *text = arena_strdup(&query->cli->arena, query->options->states.items[i]);
        if (text == NULL || *text == '\0')
            return add_state(query, "");
        for (char *word = strtok_r(text, ", ", &rest); word != NULL && code == CLI_OK;
             word = strtok_r(NULL, ", ", &rest))
            code = add_state(query, word);
    }
    return code;
}

int run_query_prepare(struct cli *cli, const char *command, const struct run_query_options *options,
                      struct run_query *out)
{
    struct err err = ERR_INIT;
    *out = (struct run_query){
        .cli = cli, .options = options, .command = command, .request = BESOM__V1__LIST_RUNS_REQUEST__INIT};
    if (options->filter != NULL &&
        filter_parse(options->filter, run_filter_field, clock_wall_us(&clock_system), &out->filter, &err) !=
            STATUS_OK)
        return cli_fail(CLI_USAGE, "%s: --filter: %s", command, err.text);
    return parse_states(out);
}

void run_query_release(struct run_query *query)
{
    filter_free(query->filter);
    json_decref(query->names);
    query->filter = NULL;
    query->names = NULL;
}

static void begin(struct run_query *query, besom_client *client, const char *sweep_id)
{
    query->client = client;
    query->request.sweep_id = message_text(sweep_id);
    query->request.states = query->states;
    query->request.page_token = message_text("");
    query->left = query->options->limit > 0 ? query->options->limit : -1;
}

/* The next page; the request then has the token of the one after. */
static int read_page(struct run_query *query, Besom__V1__ListRunsResponse **out)
{
    besom_error error = {.code = BESOM_OK};
    bool few = query->filter == NULL && query->left > 0 && query->left < PAGE_MAX;
    query->request.page_size = few ? (int32_t)query->left : PAGE_MAX;
    if (besom_run_list(query->client, &query->request, out, &error) != BESOM_OK)
        return connection_fail(&error, "cannot list the runs of sweep %s", query->request.sweep_id);
    query->request.page_token = arena_strdup(&query->cli->arena, (*out)->next_page_token);
    return query->request.page_token != NULL ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

/* Names of a few runs are enough for a guess. */
static void note_names(struct run_query *query, struct run_view *view)
{
    struct buffer name CLEANUP(buffer_free) = BUFFER_INIT;
    if (query->looked_at++ == 0)
        query->names = json_object();
    run_view_add_names(query->names, run_view_params(view), &name);
    run_view_add_names(query->names, run_view_summary(view), &name);
    for (size_t i = 0; i < view->run->n_summaries; i++)
        json_object_set_new(query->names, view->run->summaries[i]->name, json_null());
}

static bool is_wanted(struct run_query *query, struct run_view *view)
{
    if (query->filter != NULL && query->looked_at < LOOKED_AT_MAX)
        note_names(query, view);
    if (query->filter != NULL && !filter_matches(query->filter, run_view_get, view))
        return false;
    query->left -= query->left > 0 ? 1 : 0;
    return true;
}

static bool has_more(const struct run_query *query)
{
    return *query->request.page_token != '\0' && query->left != 0;
}

static int visit_page(struct run_query *query, run_query_visit *visit, void *context, struct meter *meter)
{
    Besom__V1__ListRunsResponse *page CLEANUP(message_release) = NULL;
    int code = read_page(query, &page);
    assert(code != CLI_OK || page != NULL);
    for (size_t i = 0; code == CLI_OK && i < page->n_runs && query->left != 0; i++) {
        struct run_view view CLEANUP(run_view_release) = {.run = page->runs[i]};
        if (is_wanted(query, &view))
            code = visit(context, &view);
        meter_add(meter, 1);
    }
    return code;
}

int run_query_each(struct run_query *query, besom_client *client, const char *sweep_id,
                   run_query_visit *visit, void *context)
{
    struct meter meter = meter_make("runs read");
    int code = CLI_OK;
    meter.shows = meter.shows && !query->quiet;
    begin(query, client, sweep_id);
    do
        code = visit_page(query, visit, context, &meter);
    while (code == CLI_OK && has_more(query));
    meter_end(&meter);
    return code;
}

static const char *guess(const struct run_query *query, const char *word)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    const char **names = arena_calloc(&query->cli->arena, json_object_size(query->names) + 1, sizeof *names);
    if (names == NULL)
        return NULL;
    json_object_foreach(query->names, key, value) names[count++] = key;
    return config_suggest(word, names, count);
}

void run_query_note_unknown(const struct run_query *query)
{
    const struct filter_name *name = query->looked_at > 0 ? filter_unknown_name(query->filter) : NULL;
    const char *meant = name != NULL ? guess(query, name->text) : NULL;
    if (meant != NULL)
        cli_note("--filter: no run has '%.80s' (did you mean '%.80s'?)", name->spelled, meant);
    else if (name != NULL)
        cli_note("--filter: no run has '%.80s' (besom runs SWEEP --json shows what there is)", name->spelled);
}

/* ---- lists ---- */

static bool keep_page(struct run_list *list, Besom__V1__ListRunsResponse *page)
{
    if (list->page_count == list->page_capacity) {
        size_t capacity = list->page_capacity == 0 ? 16 : 2 * list->page_capacity;
        Besom__V1__ListRunsResponse **grown = realloc(list->pages, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        list->pages = grown;
        list->page_capacity = capacity;
    }
    list->pages[list->page_count++] = page;
    return true;
}

static bool keep_run(struct run_list *list, const struct run_view *view)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 256 : 2 * list->capacity;
        struct run_view *grown = realloc(list->views, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        list->views = grown;
        list->capacity = capacity;
    }
    list->views[list->count++] = *view;
    return true;
}

static int collect_page(struct run_query *query, struct run_list *out, struct meter *meter)
{
    Besom__V1__ListRunsResponse *page = NULL;
    int code = read_page(query, &page);
    if (page != NULL && !keep_page(out, page)) {
        besom_message_free(page);
        return cli_fail(CLI_FAILED, "out of memory");
    }
    assert(code != CLI_OK || page != NULL);
    for (size_t i = 0; code == CLI_OK && i < page->n_runs && query->left != 0; i++) {
        struct run_view view = {.run = page->runs[i]};
        if (is_wanted(query, &view) && !keep_run(out, &(struct run_view){.run = view.run}))
            code = cli_fail(CLI_FAILED, "out of memory");
        run_view_release(&view); /* parsed again where it is shown: thousands of summaries are much */
        meter_add(meter, 1);
    }
    return code;
}

int run_query_collect(struct run_query *query, besom_client *client, const char *sweep_id,
                      struct run_list *out)
{
    struct meter meter = meter_make("runs read");
    int code = CLI_OK;
    begin(query, client, sweep_id);
    do
        code = collect_page(query, out, &meter);
    while (code == CLI_OK && has_more(query));
    meter_end(&meter);
    return code;
}

void run_list_release(struct run_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        run_view_release(&list->views[i]);
    for (size_t i = 0; i < list->page_count; i++)
        besom_message_free(list->pages[i]);
    free(list->views);
    free(list->pages);
    *list = (struct run_list){.pages = NULL};
}
