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
#define LISTED_SUMMARIES_MAX 1000 /* of a run in a list */
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

int run_query_whole(besom_client *client, struct run_view *view, size_t bound,
                    Besom__V1__GetRunResponse **whole)
{
    const Besom__V1__Run *run = view->run;
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    *whole = NULL;
    if (run->n_summaries < LISTED_SUMMARIES_MAX && strlen(run->summary_json) < bound &&
        strlen(run->config_json) < strlen(run->params_json) + bound)
        return CLI_OK;
    request.sweep_id = run->sweep_id;
    request.run_id = run->run_id;
    if (besom_run_get(client, &request, whole, &error) != BESOM_OK)
        return connection_fail(&error, "cannot read run %s", request.run_id);
    if ((*whole)->run == NULL)
        return cli_fail(CLI_FAILED, "cannot read run %s: the answer is empty", request.run_id);
    run_view_release(view);
    view->run = (*whole)->run;
    return CLI_OK;
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

/* Reads the run whole where a filter may ask for what the list has left out. */
static int complete(struct run_query *query, struct run_view *view, Besom__V1__GetRunResponse **whole)
{
    return query->filter != NULL || query->whole
               ? run_query_whole(query->client, view, RUN_WHOLE_FOR_FILTER, whole)
               : CLI_OK;
}

static int visit_run(struct run_query *query, const Besom__V1__Run *run, run_query_visit *visit,
                     void *context)
{
    Besom__V1__GetRunResponse *whole CLEANUP(message_release) = NULL;
    struct run_view view CLEANUP(run_view_release) = {.run = run};
    int code = complete(query, &view, &whole);
    return code == CLI_OK && is_wanted(query, &view) ? visit(context, &view) : code;
}

static int visit_page(struct run_query *query, run_query_visit *visit, void *context, struct meter *meter)
{
    Besom__V1__ListRunsResponse *page CLEANUP(message_release) = NULL;
    int code = read_page(query, &page);
    assert(code != CLI_OK || page != NULL);
    for (size_t i = 0; code == CLI_OK && i < page->n_runs && query->left != 0; i++) {
        code = visit_run(query, page->runs[i], visit, context);
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

/* Takes the message over; without memory it is given back. */
static int keep_message(struct run_list *list, void *message)
{
    if (list->message_count == list->message_capacity) {
        size_t capacity = list->message_capacity == 0 ? 16 : 2 * list->message_capacity;
        void **grown = realloc(list->messages, capacity * sizeof *grown);
        if (grown == NULL) {
            besom_message_free(message);
            return cli_fail(CLI_FAILED, "out of memory");
        }
        list->messages = grown;
        list->message_capacity = capacity;
    }
    list->messages[list->message_count++] = message;
    return CLI_OK;
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

static int collect_run(struct run_query *query, const Besom__V1__Run *run, struct run_list *out)
{
    Besom__V1__GetRunResponse *whole = NULL;
    struct run_view view CLEANUP(run_view_release) = {.run = run};
    int code = complete(query, &view, &whole);
    if (code != CLI_OK || !is_wanted(query, &view)) {
        besom_message_free(whole);
        return code;
    }
    if (whole != NULL)
        code = keep_message(out, whole);
    /* what was parsed is parsed again where it is shown: thousands of summaries are much */
    if (code == CLI_OK && !keep_run(out, &(struct run_view){.run = view.run}))
        code = cli_fail(CLI_FAILED, "out of memory");
    return code;
}

static int collect_page(struct run_query *query, struct run_list *out, struct meter *meter)
{
    Besom__V1__ListRunsResponse *page = NULL;
    int code = read_page(query, &page);
    if (page == NULL)
        return code;
    int kept = keep_message(out, page);
    code = code == CLI_OK ? kept : code;
    for (size_t i = 0; code == CLI_OK && i < page->n_runs && query->left != 0; i++) {
        code = collect_run(query, page->runs[i], out);
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
    for (size_t i = 0; i < list->message_count; i++)
        besom_message_free(list->messages[i]);
    free(list->views);
    free(list->messages);
    *list = (struct run_list){.messages = NULL};
}
