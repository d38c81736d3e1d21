// SPDX-License-Identifier: Apache-2.0
// From an assignment to an attempt's folder: command line, refusals, spec.
#include <besom/command.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "search_path.h"

static enum slot_prepared refuse(struct slot *slot, const char *text)
{
    slot->end = (struct attempt_exit){.end = ATTEMPT_START_FAILED};
    snprintf(slot->end.error_text, sizeof slot->end.error_text, "%s", text);
    attempt_clean_text(slot->end.error_text);
    slot->final_sequence = 0;
    return SLOT_REFUSED;
}

static enum slot_prepared unable(struct slot *slot, const char *text)
{
    (void)refuse(slot, text);
    slot->end.end = ATTEMPT_NOT_STARTED;
    return SLOT_UNABLE;
}

/* What is run in the end: behind ${env} and ${interpreter}. */
static const char *program_of(char **argv, const char *interpreter)
{
    size_t at = 0;
    if (argv[at] != NULL && strcmp(argv[at], "/usr/bin/env") == 0)
        at++;
    if (argv[at] != NULL && strcmp(argv[at], interpreter) == 0)
        at++;
    return argv[at] != NULL ? argv[at] : "";
}

static bool program_is_allowed(const struct agent_options *options, const char *program)
{
    for (size_t i = 0; i < options->allowed_programs.count; i++)
        if (fnmatch(options->allowed_programs.items[i], program, FNM_PATHNAME) == 0)
            return true;
    return options->allowed_programs.count == 0;
}

static size_t count_items(char *const *items)
{
    size_t count = 0;
    while (items[count] != NULL)
        count++;
    return count;
}

static bool make_command(struct slot *slot, const Besom__V1__RunAssignment *run)
{
    char *const *own = slot->agent->options->command;
    const besom_command_input input = {.items = (const char *const *)(own != NULL ? own : run->command),
                                       .item_count = own != NULL ? count_items(own) : run->n_command,
                                       .interpreter = search_path_python(),
                                       .program = run->program,
                                       .params_json = run->params_json,
                                       .params_file = slot->paths.params};
    besom_error error;
    int needs_file = 0;
    if (besom_command_expand(&input, &slot->spec.command, &needs_file, &error) != BESOM_OK)
        return refuse(slot, error.text) == SLOT_PREPARED;
    const char *program = program_of(slot->spec.command, input.interpreter);
    if (program_is_allowed(slot->agent->options, program))
        return true;
    char text[512];
    snprintf(text, sizeof text, "this agent refuses to start '%.300s' (--allow-program)", program);
    return refuse(slot, text) == SLOT_PREPARED;
}

static char *working_folder(const struct agent_options *options)
{
    return options->workdir != NULL ? realpath(options->workdir, NULL) : getcwd(NULL, 0);
}

static void fill_output_metrics(struct attempt_spec *spec, const Besom__V1__OutputMetrics *metrics)
{
    if (metrics == NULL)
        return;
    spec->read_output[0] = metrics->stdout;
    spec->read_output[1] = metrics->stderr;
    spec->output_pattern = strdup(metrics->pattern);
    spec->output_step = strdup(metrics->step);
}

static bool fill_spec(struct slot *slot, const Besom__V1__RunAssignment *run)
{
    const struct agent *agent = slot->agent;
    attempt_spec_free(&slot->spec);
    slot->spec = (struct attempt_spec){
        .sweep_id = strdup(run->sweep_id),
        .run_id = strdup(run->run_id),
        .attempt = run->attempt,
        .slot = slot->number,
        .counter = slot->counter,
        .started_us = clock_wall_us(&clock_system),
        .project = strdup(run->project),
        .seed = run->run_seed,
        .params_json = strdup(run->params_json),
        .workdir = working_folder(agent->options),
        .stop_grace_ms = run->stop_grace_ms,
        .lost_after_ms = agent->lost_after_ms,
        .lease_ms = agent->lease_ms,
        .spool_limit_bytes = agent->options->spool_limit_bytes,
        .stop_on_disconnect = run->on_disconnect == BESOM__V1__ON_DISCONNECT__ON_DISCONNECT_STOP,
        .next_step = run->next_step,
    };
    fill_output_metrics(&slot->spec, run->output_metrics);
    slot->spec.gpus = slot->gpus != NULL ? strdup(slot->gpus) : NULL;
    slot->spec.python_path = agent->around.python_path != NULL ? strdup(agent->around.python_path) : NULL;
    return slot->spec.sweep_id != NULL && slot->spec.run_id != NULL && slot->spec.project != NULL &&
           slot->spec.params_json != NULL;
}

/* Ids become folder names. */
static bool is_plain_id(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz") == strlen(text) &&
           strlen(text) <= 64;
}

static void forget_last(struct slot *slot)
{
    slot->paths = (struct attempt_paths){.folder = ""};
    slot->end = (struct attempt_exit){.end = 0};
    slot->order.set = slot->superseded = slot->gone = false;
    slot->final_sequence = 0;
    slot->taken = 0;
    slot->broken_streams = 0;
}

void slot_give_back(struct slot *slot, const Besom__V1__RunAssignment *run)
{
    forget_last(slot);
    if (fill_spec(slot, run))
        slot_end_unstarted(slot, slot->agent->submit_params != NULL ? END_CAUSE_USER : END_CAUSE_PREEMPTED,
                           0);
    else
        abort(); /* no memory for a few short texts */
}

enum slot_prepared slot_prepare(struct slot *slot, const Besom__V1__RunAssignment *run)
{
    char folder[PATH_MAX];
    struct err err = ERR_INIT;
    forget_last(slot);
    if (!fill_spec(slot, run))
        return unable(slot, "out of memory");
    if (!is_plain_id(run->run_id))
        return refuse(slot, "the run's id is no id");
    snprintf(folder, sizeof folder, "%.*s/%s.%d", PATH_MAX - 128, slot->agent->state.path, run->run_id,
             (int)run->attempt);
    if (attempt_paths_make(folder, &slot->paths, &err) != STATUS_OK)
        return refuse(slot, err.text);
    if (run->started) {
        /* The start was reported, and its folder is gone: it may have run. Never a second time. */
        refuse(slot, "the agent's record of this attempt is gone");
        slot->end.end = ATTEMPT_LOST;
        return SLOT_REFUSED;
    }
    if (slot->spec.workdir == NULL)
        return unable(slot, "the working folder cannot be entered (--workdir)");
    if (!make_command(slot, run))
        return SLOT_REFUSED;
    if (surroundings_run_dir(&slot->agent->around, slot->spec.workdir, slot->spec.run_id, &slot->spec.run_dir,
                             &err) != STATUS_OK)
        return unable(slot, err.text);
    if (attempt_create(&slot->paths, &slot->spec, &err) == STATUS_OK)
        return SLOT_PREPARED;
    log_error("agent", "cannot_create_attempt", LOG_ERR(&err));
    attempt_remove(&slot->paths);
    return err.code == STATUS_INVALID ? refuse(slot, err.text) : unable(slot, err.text);
}
