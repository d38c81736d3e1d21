// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_line.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "space/space.h"
#include "table.h"

struct why_options {
    struct connection_options connection;
    bool json;
};

static json_t *decision_json(const Besom__V1__StopDecision *decision)
{
    json_t *rivals = json_array();
    for (size_t i = 0; i < decision->n_rival_values && i < decision->n_rival_runs; i++)
        json_array_append_new(rivals, json_pack("{s:s,s:o}", "run_id", decision->rival_runs[i], "value",
                                                entity_number_json(decision->rival_values[i])));
    return json_pack("{s:I,s:i,s:I,s:o,s:o,s:o,s:b,s:b,s:I,s:o,s:I,s:s}", "number",
                     (json_int_t)decision->number, "attempt", (int)decision->attempt, "band",
                     (json_int_t)decision->band, "value", entity_number_json(decision->value), "compared",
                     entity_number_json(decision->compared), "threshold",
                     entity_number_json(decision->threshold), "stop", decision->stop, "pause",
                     decision->pause, "reached", (json_int_t)decision->reached, "rivals", rivals,
                     "decided_us", (json_int_t)decision->decided_us, "reason", decision->reason);
}

static json_t *verdict_json(const Besom__V1__CohortVerdict *verdict)
{
    return json_pack("{s:I,s:i,s:I,s:b,s:I,s:I,s:o,s:o,s:I}", "band", (json_int_t)verdict->band, "bracket",
                     (int)verdict->bracket, "cohort", (json_int_t)verdict->cohort, "promoted",
                     verdict->promoted, "rank", (json_int_t)verdict->rank, "planned",
                     (json_int_t)verdict->planned, "value", entity_number_json(verdict->value), "threshold",
                     entity_number_json(verdict->threshold), "decided_us", (json_int_t)verdict->decided_us);
}

static json_t *attempt_json(const Besom__V1__Attempt *attempt)
{
    return json_pack("{s:i,s:s,s:s,s:I,s:I,s:I,s:s,s:I}", "attempt", (int)attempt->attempt, "agent_id",
                     attempt->agent_id, "host", attempt->host, "claimed_us", (json_int_t)attempt->claimed_us,
                     "started_us", (json_int_t)attempt->started_us, "ended_us", (json_int_t)attempt->ended_us,
                     "end_reason", attempt->end_reason, "last_sequence", (json_int_t)attempt->last_sequence);
}

static int print_json(const Besom__V1__ExplainRunResponse *why, const char *command)
{
    json_t *decisions = json_array(), *attempts = json_array(), *verdicts = json_array();
    for (size_t i = 0; i < why->n_verdicts; i++)
        json_array_append_new(verdicts, verdict_json(why->verdicts[i]));
    for (size_t i = 0; i < why->n_decisions; i++)
        json_array_append_new(decisions, decision_json(why->decisions[i]));
    for (size_t i = 0; i < why->n_attempts; i++)
        json_array_append_new(attempts, attempt_json(why->attempts[i]));
    return entity_print_json(json_pack("{s:o,s:o,s:o,s:o,s:o,s:s?}", "run", entity_run_json(why->run),
                                       "suggestion", entity_parsed_json(why->suggestion_json), "decisions",
                                       decisions, "verdicts", verdicts, "attempts", attempts, "command",
                                       command));
}

/* ---- why Bayesian search chose a point, in words ---- */

/* Optimizers other than gp explore when all that they drew was taken. */
#define WORDS_ALL_TAKEN "what was drawn had all been tried: a point that fills the space evenly"

static const struct phase {
    const char *name, *words;
} phases[] = {
    {"start", "too few results to learn from: a point that fills the space evenly"},
    {"explore", "away from what was learnt, as one in ten is, and more while it promises next to nothing"},
    {"model", "the point that promises most by what was learnt"},
    {"generation", "drawn from the normal distribution that the generations before have shaped"},
    {"even", "a point that fills the space evenly, whatever results say"},
};

/* What the optimizers other than gp drew it from. */
static const struct fact {
    const char *name, *words;
} facts[] = {
    {"good", "good results make the density that it was drawn from"},
    {"bad", "other results, and runs without one, make the density that it should avoid"},
    {"candidates", "draws, of which it has the greatest ratio of the two"},
    {"log_ratio", "logarithm of that ratio"},
    {"generation", "generations before"},
    {"population", "results make a generation"},
    {"results_of_it", "of this one had come"},
    {"restarts", "times begun anew, each time with twice as many a generation"},
    {"sigma", "step size, of the searched range"},
    {"index", "index in the sequence"},
};

static const char *number_text(const json_t *value, char *out)
{
    return json_is_number(value) ? format_number(json_number_value(value), out) : "-";
}

static void print_scales(struct cli *cli, json_t *scales)
{
    const char *path;
    json_t *scale;
    char text[FORMAT_SIZE];
    const char *before = "  length scales ";
    if (json_object_size(scales) == 0)
        return;
    json_object_foreach(scales, path, scale)
    {
        printf("%s%s %s", before, text_clean(&cli->arena, path), number_text(scale, text));
        before = ", ";
    }
    printf(" (of the searched range; the shorter, the more it matters)\n");
}

static void print_model(struct cli *cli, const json_t *why)
{
    char mean[FORMAT_SIZE], deviation[FORMAT_SIZE], text[FORMAT_SIZE];
    const json_t *predicted = json_object_get(why, "predicted");
    const json_t *bound = json_object_get(why, "bound");
    const json_t *gain = json_object_get(why, "log_improvement");
    const json_t *success = json_object_get(why, "success");
    printf("  predicted     %s, give or take %s\n", number_text(json_object_get(predicted, "mean"), mean),
           number_text(json_object_get(predicted, "deviation"), deviation));
    if (json_is_number(bound))
        printf("  acquisition   confidence bound %s, a deviation better, averaged over likely parameters\n",
               number_text(bound, text));
    else
        printf("  acquisition   logarithm of the expected improvement %s\n", number_text(gain, text));
    if (json_is_number(success))
        printf("  success       %.0f %% likely not to fail\n", 100 * json_number_value(success));
    print_scales(cli, json_object_get(why, "length_scales"));
}

static void print_facts(const json_t *drawn_from)
{
    char text[FORMAT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        const json_t *value = json_object_get(drawn_from, facts[i].name);
        if (value != NULL)
            printf("  %-13s %s\n", number_text(value, text), facts[i].words);
    }
}

/* A point of `enqueue`. */
static void print_enqueued(struct cli *cli, const json_t *why)
{
    size_t i;
    const json_t *path;
    const json_t *drawn = json_object_get(why, "drawn");
    printf("  enqueued      point %lld of %lld of the file\n",
           (long long)json_integer_value(json_object_get(why, "point")),
           (long long)json_integer_value(json_object_get(why, "of")));
    json_array_foreach((json_t *)(uintptr_t)drawn, i, path)
        printf("%s%s%s", i == 0 ? "  drawn         " : ", ",
               text_clean(&cli->arena, json_is_string(path) ? json_string_value(path) : "?"),
               i + 1 == json_array_size(drawn) ? ", which it leaves open\n" : "");
}

/* What did not count as it was. */
static void print_exceptions(struct cli *cli, const json_t *why)
{
    const json_t *imputed = json_object_get(why, "imputed");
    const json_t *running = json_object_get(why, "imputed_running");
    const json_t *passed = json_object_get(why, "passed_over");
    const char *first = json_string_value(json_object_get(why, "passed_over_first"));
    if (imputed != NULL)
        printf("  imputed       %lld results without a value, as impute says\n",
               (long long)json_integer_value(imputed));
    if (running != NULL)
        printf("  imputed       %lld runs without a result, as the worst one\n",
               (long long)json_integer_value(running));
    if (passed != NULL)
        printf("  passed over   %lld runs that are no points of this space; the first: %s\n",
               (long long)json_integer_value(passed), first != NULL ? text_clean(&cli->arena, first) : "?");
}

/* Of a sweep whose model learns from what runs brought to rungs. */
static void print_budget(struct cli *cli, const json_t *budget)
{
    const char *unit = json_string_value(json_object_get(budget, "unit"));
    if (budget == NULL)
        return;
    printf("  fitted at     %s %lld, which %lld runs have come to\n",
           unit != NULL ? text_clean(&cli->arena, unit) : "?",
           (long long)json_integer_value(json_object_get(budget, "at")),
           (long long)json_integer_value(json_object_get(budget, "values")));
}

static const char *phase_words(const char *phase, const char *optimizer)
{
    bool learns_by_gp = optimizer == NULL || strcmp(optimizer, "gp") == 0;
    if (phase != NULL && strcmp(phase, "explore") == 0 && !learns_by_gp)
        return WORDS_ALL_TAKEN;
    for (size_t i = 0; phase != NULL && i < ARRAY_LEN(phases); i++)
        if (strcmp(phases[i].name, phase) == 0)
            return phases[i].words;
    return "";
}

static void print_bayes(struct cli *cli, const json_t *why)
{
    const char *optimizer = json_string_value(json_object_get(why, "optimizer"));
    char text[FORMAT_SIZE];
    const char *phase = json_string_value(json_object_get(why, "phase"));
    const char *another = json_string_value(json_object_get(why, "another"));
    const char *words = phase_words(phase, optimizer);
    printf("  method        bayes%s%s\n", optimizer != NULL ? ", optimizer " : "",
           optimizer != NULL ? text_clean(&cli->arena, optimizer) : "");
    printf("  phase         %s%s%s\n", phase != NULL ? text_clean(&cli->arena, phase) : "?",
           *words != '\0' ? ": " : "", words);
    if (another != NULL)
        printf("  another       %s than the best result has, and the most worth with it\n",
               text_clean(&cli->arena, another));
    printf("  learnt from   %lld results, with %lld runs that had none yet\n",
           (long long)json_integer_value(json_object_get(why, "results")),
           (long long)json_integer_value(json_object_get(why, "pending")));
    print_budget(cli, json_object_get(why, "budget"));
    printf("  best so far   %s\n", number_text(json_object_get(why, "best"), text));
    if (json_object_get(why, "predicted") != NULL)
        print_model(cli, why);
    print_facts(json_object_get(why, "drawn_from"));
    print_exceptions(cli, why);
}

static void print_fields(struct cli *cli, json_t *suggestion)
{
    const char *key;
    json_t *value;
    json_object_foreach(suggestion, key, value)
    {
        char *text = json_is_string(value) ? strdup(json_string_value(value)) : space_config_text(value);
        printf("  %-12s %s\n", text_clean(&cli->arena, key),
               text != NULL ? text_clean(&cli->arena, text) : "?");
        free(text);
    }
}

static void print_suggestion(struct cli *cli, const char *suggestion_json)
{
    json_t *suggestion = entity_parsed_json(suggestion_json);
    const char *method = json_string_value(json_object_get(suggestion, "method"));
    const char *phase = json_string_value(json_object_get(suggestion, "phase"));
    printf("\nSuggested by\n");
    if (phase != NULL && strcmp(phase, "enqueued") == 0)
        print_enqueued(cli, suggestion);
    else if (method != NULL && strcmp(method, "bayes") == 0)
        print_bayes(cli, suggestion);
    else
        print_fields(cli, suggestion);
    json_decref(suggestion);
}

/* On the run's cohort; a decision that it waits names no threshold. */
static void print_verdict(const Besom__V1__CohortVerdict *verdict)
{
    char value[FORMAT_SIZE], threshold[FORMAT_SIZE];
    printf("  verdict at band %lld: %s, number %lld of %lld in bracket %d", (long long)verdict->band,
           verdict->promoted ? "went on" : "ended there", (long long)verdict->rank,
           (long long)verdict->planned, (int)verdict->bracket);
    if (isnan(verdict->value))
        printf(", it had ended without a value there");
    else
        printf(", value %s", format_number(verdict->value, value));
    if (!isnan(verdict->threshold))
        printf(", threshold %s", format_number(verdict->threshold, threshold));
    puts("");
}

static void print_decision(struct cli *cli, const Besom__V1__StopDecision *decision)
{
    char value[FORMAT_SIZE], threshold[FORMAT_SIZE];
    if (decision->pause) {
        printf("  band %lld: value %s\n    %s\n", (long long)decision->band,
               format_number(decision->value, value), text_clean(&cli->arena, decision->reason));
        return;
    }
    printf("  band %lld: %s, value %s, threshold %s, %lld %s had reached it\n", (long long)decision->band,
           decision->stop ? "stopped" : "went on", format_number(decision->compared, value),
           format_number(decision->threshold, threshold), (long long)decision->reached,
           decision->reached == 1 ? "run" : "runs");
    if (*decision->reason != '\0')
        printf("    %s\n", text_clean(&cli->arena, decision->reason));
    if (decision->n_rival_values == 0)
        return;
    printf("    rivals:");
    for (size_t i = 0; i < decision->n_rival_values && i < decision->n_rival_runs; i++)
        printf(" %s %s%s", text_clean(&cli->arena, decision->rival_runs[i]),
               format_number(decision->rival_values[i], value),
               i + 1 < decision->n_rival_values ? "," : "\n");
}

static void print_attempts(struct cli *cli, const Besom__V1__ExplainRunResponse *why)
{
    static const struct table_column columns[] = {
        {"TRY", true}, {"AGENT", false}, {"HOST", false}, {"TIME", true}, {"ENDED", false}};
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < why->n_attempts; i++) {
        const Besom__V1__Attempt *attempt = why->attempts[i];
        char text[FORMAT_SIZE];
        bool ran = attempt->started_us != 0 && attempt->ended_us != 0;
        snprintf(text, sizeof text, "%d", (int)attempt->attempt);
        table_add(&table, text);
        table_add(&table, attempt->agent_id);
        table_add(&table, attempt->host);
        table_add(&table,
                  ran ? format_duration((attempt->ended_us - attempt->started_us) / 1000, text) : "-");
        table_add(&table, *attempt->end_reason != '\0' ? attempt->end_reason : "-");
    }
    printf("\nAttempts\n");
    table_print(&table);
}

static void print_why(struct cli *cli, const Besom__V1__ExplainRunResponse *why, const char *command)
{
    const Besom__V1__Run *run = why->run;
    printf("run        %s of sweep %s, suggestion %lld\n", run->run_id, run->sweep_id,
           (long long)run->ordinal);
    printf("state      %s%s%s\n", entity_run_state(run->state), *run->end_reason != '\0' ? ": " : "",
           text_clean(&cli->arena, run->end_reason));
    if (*run->error_text != '\0')
        printf("error      %s\n", text_clean(&cli->arena, run->error_text));
    printf("parameters %s\n", text_clean(&cli->arena, entity_params_text(&cli->arena, run->params_json)));
    if (command != NULL)
        printf("command    %s\n", text_clean(&cli->arena, command));
    print_suggestion(cli, why->suggestion_json);
    printf("\nEarly termination\n");
    if (why->n_decisions == 0)
        printf("  no decision about this run\n");
    for (size_t i = 0; i < why->n_decisions; i++)
        print_decision(cli, why->decisions[i]);
    for (size_t i = 0; i < why->n_verdicts; i++)
        print_verdict(why->verdicts[i]);
    if (why->n_attempts > 0)
        print_attempts(cli, why);
}

/* Of a run of a search: a single run's is not known. */
static int read_command(struct cli *cli, besom_client *client, const Besom__V1__Run *run, const char **out)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    bool needs_file = false;
    *out = NULL;
    int code = resolve_read(client, run->sweep_id, &response);
    if (code != CLI_OK || strcmp(response->sweep->method, "none") == 0)
        return code;
    code = command_line_of_run(cli, response->sweep, run, &text, &needs_file);
    if (code == CLI_OK)
        *out = arena_strdup(&cli->arena, buffer_text(&text));
    return code;
}

static int run_why(struct cli *cli, void *given)
{
    const struct why_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetRunResponse *found CLEANUP(message_release) = NULL;
    Besom__V1__ExplainRunRequest request = BESOM__V1__EXPLAIN_RUN_REQUEST__INIT;
    Besom__V1__ExplainRunResponse *why CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    int code = resolve_run(&options->connection, cli->given->arguments[0], &client, &found);
    if (code != CLI_OK)
        return code;
    request.sweep_id = found->run->sweep_id;
    request.run_id = found->run->run_id;
    if (besom_run_explain(client, &request, &why, &error) != BESOM_OK)
        return connection_fail(&error, "cannot explain run %s", request.run_id);
    if (why->run == NULL)
        return cli_fail(CLI_FAILED, "cannot explain run %s: the answer is empty", request.run_id);
    const char *command = NULL;
    code = read_command(cli, client, why->run, &command);
    if (code != CLI_OK)
        return code;
    if (options->json)
        return print_json(why, command);
    print_why(cli, why, command);
    return CLI_OK;
}

static const struct config_key keys[] = {
    JSON_KEY(struct why_options),
    CONNECTION_KEYS(struct why_options),
};

const struct cli_command cmd_why = {
    .name = "why",
    .group = "Look",
    .usage = "besom why RUN",
    .summary = "Explain a run's configuration and its end\n"
               "The command is the one that an agent with this machine's PATH and environment would start.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct why_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_why,
};
