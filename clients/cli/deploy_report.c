// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdio.h>

#include "deploy.h"
#include "entity.h"
#include "format.h"
#include "table.h"

static const struct table_column columns[] = {{"SWEEP", false}, {"NAME", false},   {"RUNS", true},
                                              {"HOURS", true},  {"SCRIPT", false}, {"JOB", false}};

/* Agents that work side by side; 0 = the template's array does not say. */
static int64_t agents(const struct deploy *deploy)
{
    if (deploy->options->nodes > 0)
        return deploy->options->nodes;
    return deploy->template.array_line > 0 ? deploy->template.array_tasks : 1;
}

/* NAN when it cannot be said. */
static double hours(const struct deploy *deploy, int64_t runs)
{
    if (runs < 0 || agents(deploy) == 0 || deploy->options->hours_per_run <= 0)
        return (double)NAN;
    double per_run = deploy->options->hours_per_run;
    double shared = (double)runs * per_run / (double)agents(deploy);
    return runs > 0 ? fmax(shared, per_run) : 0; /* a run is not divided */
}

static json_t *known(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static const char *shown_id(const struct deploy_sweep *sweep)
{
    return sweep->sweep_id != NULL ? sweep->sweep_id : "-";
}

static const char *sbatch_command(const struct deploy *deploy, const struct deploy_sweep *sweep)
{
    struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_puts(&line, "sbatch ");
    text_shell_quote(sweep->script, &line);
    return arena_strdup(&deploy->cli->arena, buffer_text(&line));
}

static const char *agent_command(const struct deploy *deploy, const struct deploy_sweep *sweep)
{
    return arena_printf(&deploy->cli->arena, "besom agent %s",
                        sweep->sweep_id != NULL ? sweep->sweep_id : "SWEEP");
}

static json_t *sweep_json(const struct deploy *deploy, const struct deploy_sweep *sweep)
{
    return json_pack("{s:s?,s:s,s:o,s:o,s:s,s:s,s:s,s:s?}", "sweep_id", sweep->sweep_id, "name", sweep->name,
                     "runs", sweep->runs < 0 ? json_null() : json_integer(sweep->runs), "hours",
                     known(hours(deploy, sweep->runs)), "script", sweep->script, "sbatch_command",
                     sbatch_command(deploy, sweep), "agent_command", agent_command(deploy, sweep), "job_id",
                     sweep->job_id);
}

static int report_json(const struct deploy *deploy)
{
    const struct deploy_options *options = deploy->options;
    json_t *sweeps = json_array();
    for (size_t i = 0; i < deploy->file.count; i++)
        json_array_append_new(sweeps, sweep_json(deploy, &deploy->file.sweeps[i]));
    return entity_print_json(json_pack(
        "{s:s,s:s,s:b,s:o,s:o,s:o}", "file", deploy->file.path, "template", options->slurm, "dry_run",
        (int)options->dry_run, "nodes", agents(deploy) > 0 ? json_integer(agents(deploy)) : json_null(),
        "hours_per_run", options->hours_per_run > 0 ? json_real(options->hours_per_run) : json_null(),
        "sweeps", sweeps));
}

static void add_row(struct table *table, const struct deploy *deploy, const struct deploy_sweep *sweep)
{
    char text[FORMAT_SIZE];
    double took = hours(deploy, sweep->runs);
    table_add(table, shown_id(sweep));
    table_add(table, *sweep->name != '\0' ? sweep->name : "-");
    snprintf(text, sizeof text, "%lld", (long long)sweep->runs);
    table_add(table, sweep->runs < 0 ? "unbounded" : text);
    table_add(table, isnan(took) ? "-" : format_number(took, text));
    table_add(table, sweep->script);
    if (deploy->options->submit)
        table_add(table, sweep->job_id != NULL ? sweep->job_id : "-");
}

static void say_total(const struct deploy *deploy)
{
    char text[FORMAT_SIZE];
    int64_t runs = 0;
    size_t unbounded = 0;
    double took = 0;
    for (size_t i = 0; i < deploy->file.count; i++) {
        int64_t some = deploy->file.sweeps[i].runs;
        unbounded += some < 0;
        runs += some < 0 ? 0 : some;
        took += hours(deploy, some);
    }
    if (unbounded > 0)
        cli_say("Sweeps that do not end by themselves: %zu of %zu (add run_cap, or give the agents --count)",
                unbounded, deploy->file.count);
    else if (isnan(took))
        cli_say("Runs: %lld", (long long)runs);
    else
        cli_say("Runs: %lld; %s hours if the sweeps go one after the other", (long long)runs,
                format_number(took, text));
}

static void print_commands(const struct deploy *deploy)
{
    const struct deploy_options *options = deploy->options;
    if (options->dry_run)
        cli_say("Nothing is created. It would say, with the sweeps' ids:");
    if (!options->submit || options->dry_run) {
        printf("\n");
        for (size_t i = 0; i < deploy->file.count; i++)
            printf("%s\n", sbatch_command(deploy, &deploy->file.sweeps[i]));
    }
    printf("\n");
    for (size_t i = 0; i < deploy->file.count; i++)
        printf("%s\n", agent_command(deploy, &deploy->file.sweeps[i]));
}

int deploy_report(const struct deploy *deploy)
{
    if (deploy->options->json)
        return report_json(deploy);
    struct table table =
        table_make(&deploy->cli->arena, columns, ARRAY_LEN(columns) - !deploy->options->submit);
    for (size_t i = 0; i < deploy->file.count; i++)
        add_row(&table, deploy, &deploy->file.sweeps[i]);
    table_print(&table);
    say_total(deploy);
    print_commands(deploy);
    return CLI_OK;
}

void deploy_report_rest(const struct deploy *deploy)
{
    for (size_t i = 0; i < deploy->file.count; i++) {
        const struct deploy_sweep *sweep = &deploy->file.sweeps[i];
        if (sweep->sweep_id == NULL)
            cli_note("Sweep %zu of %s was not created", i + 1, deploy->file.path);
        else if (sweep->job_id != NULL)
            cli_note("Sweep %s was created and is job %s", sweep->sweep_id, sweep->job_id);
        else if (sweep->script != NULL)
            cli_note("Sweep %s was created and not submitted: %s (or besom delete %s)", sweep->sweep_id,
                     sbatch_command(deploy, sweep), sweep->sweep_id);
        else
            cli_note("Sweep %s was created and has no script: besom delete %s takes it back", sweep->sweep_id,
                     sweep->sweep_id);
    }
}
