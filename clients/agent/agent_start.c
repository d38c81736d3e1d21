// SPDX-License-Identifier: Apache-2.0
// How an agent comes to be, with what a killed one left behind, and how it goes.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "agent_signals.h"
#include "agent_time.h"
#include "base/file.h"
#include "base/log.h"

#define OPEN_TIMEOUT_MS 10000
#define PARAMS_LIMIT (1u << 20)

/* ---- what is left of an agent before ---- */

struct found_attempts {
    struct attempt_paths *paths; /* owned */
    struct attempt_spec *specs;  /* owned; moved into slots */
    int count, highest_slot;
};

/* A folder without its first file is one whose deletion was cut off, unless a shim lives in it. */
static bool remove_remains(const struct attempt_paths *paths)
{
    int lock CLEANUP(file_close) = attempt_lock(paths);
    if (lock >= 0)
        attempt_remove(paths);
    return lock >= 0;
}

static void find_attempt(void *context, const char *path)
{
    struct found_attempts *found = context;
    struct attempt_paths paths;
    struct attempt_spec spec;
    struct err err = ERR_INIT;
    enum status status = attempt_paths_make(path, &paths, &err);
    if (status == STATUS_OK)
        status = attempt_spec_read(&paths, &spec, &err);
    if (status == STATUS_NOT_FOUND && remove_remains(&paths))
        return;
    if (status != STATUS_OK) {
        log_error("agent", "unreadable_attempt", LOG_TEXT("path", path), LOG_ERR(&err));
        return;
    }
    struct attempt_paths *grown_paths =
        realloc(found->paths, (size_t)(found->count + 1) * sizeof *grown_paths);
    struct attempt_spec *grown_specs =
        realloc(found->specs, (size_t)(found->count + 1) * sizeof *grown_specs);
    if (grown_paths == NULL || grown_specs == NULL)
        abort(); /* a run that is not taken up would be orphaned */
    found->paths = grown_paths;
    found->specs = grown_specs;
    found->paths[found->count] = paths;
    found->specs[found->count++] = spec;
    if (spec.slot > found->highest_slot)
        found->highest_slot = spec.slot;
}

/* A folder whose counter is behind its slot's was reported already; only its deletion was cut off. */
static void adopt_attempts(struct agent *agent, struct found_attempts *found)
{
    struct err err = ERR_INIT;
    for (int i = 0; i < found->count; i++) {
        int64_t counter = 0;
        struct slot *slot = &agent->slots[found->specs[i].slot];
        bool known = state_dir_counter(&agent->state, slot->number, &counter, &err) == STATUS_OK;
        if ((known && found->specs[i].counter < counter) || slot->phase != SLOT_IDLE) {
            attempt_remove(&found->paths[i]);
            attempt_spec_free(&found->specs[i]);
            continue;
        }
        slot->paths = found->paths[i];
        slot->spec = found->specs[i];
        slot_adopt(slot);
    }
    free(found->paths);
    free(found->specs);
}

static enum status make_slots(struct agent *agent, struct err *err)
{
    struct found_attempts found = {.paths = NULL, .highest_slot = -1};
    state_dir_each_attempt(&agent->state, find_attempt, &found);
    agent->slot_count = agent->around.slots;
    if (found.highest_slot >= agent->slot_count && found.highest_slot < SLOTS_MAX)
        agent->slot_count = found.highest_slot + 1;
    agent->slots = calloc((size_t)agent->slot_count, sizeof *agent->slots);
    if (agent->slots == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (int i = 0; i < agent->slot_count; i++)
        slot_init(&agent->slots[i], agent, i);
    adopt_attempts(agent, &found);
    return STATUS_OK;
}

/* ---- start and end ---- */

static enum status open_client(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    besom_client_options client = BESOM_CLIENT_OPTIONS_INIT;
    client.address = options->address;
    client.token_file = options->token_file;
    client.ca_file = options->ca_file;
    client.certificate_file = options->certificate_file;
    client.key_file = options->key_file;
    client.server_name = options->server_name;
    client.tls = options->tls;
    client.insecure = options->insecure;
    client.timeout_ms = OPEN_TIMEOUT_MS;
    besom_error error;
    if (besom_client_new(&client, &agent->client, &error) == BESOM_OK)
        return STATUS_OK;
    return err_set(err, status_from_grpc((int)error.code), "%s", error.text);
}

static enum status read_params(struct agent *agent, struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    const char *path = agent->options->submit;
    bool is_input = strcmp(path, "-") == 0;
    TRY(file_read(is_input ? "/dev/stdin" : path, PARAMS_LIMIT, &text, err));
    json_t *params = json_loadb(buffer_text(&text), text.length, JSON_REJECT_DUPLICATES, NULL);
    bool is_object = json_is_object(params);
    json_decref(params);
    if (!is_object)
        return err_set(err, STATUS_INVALID, "%s holds no JSON object", is_input ? "standard input" : path);
    agent->submit_params = strdup(buffer_text(&text));
    return agent->submit_params != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* Waits for the answer: without it there is nothing to do. */
static enum status open_project(struct agent *agent, struct err *err)
{
    const char *project = agent->options->project;
    Besom__V1__OpenProjectRequest request = BESOM__V1__OPEN_PROJECT_REQUEST__INIT;
    Besom__V1__OpenProjectResponse *response = NULL;
    besom_error error;
    if (project != NULL)
        request.project = (char *)(uintptr_t)project;
    if (besom_project_open(agent->client, &request, &response, &error) != BESOM_OK)
        return err_set(err, status_from_grpc((int)error.code), "%s", error.text);
    if (response->sweep != NULL)
        agent->sweep_id = strdup(response->sweep->sweep_id);
    besom_message_free(response);
    return STATUS_OK;
}

static enum status find_sweep(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    if (options->submit != NULL)
        TRY(open_project(agent, err));
    else
        agent->sweep_id = strdup(options->sweep_id);
    return agent->sweep_id != NULL ? STATUS_OK : err_set(err, STATUS_INTERNAL, "no sweep was answered");
}

enum status agent_set_up(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    if (options->host != NULL && *options->host != '\0')
        snprintf(agent->host, sizeof agent->host, "%s", options->host);
    else if (gethostname(agent->host, sizeof agent->host) != 0 || agent->host[0] == '\0')
        snprintf(agent->host, sizeof agent->host, "localhost");
    agent->host[sizeof agent->host - 1] = '\0';
    TRY(surroundings_open(options, &agent->around, err));
    if (options->submit != NULL)
        TRY(read_params(agent, err));
    agent->loop = loop_new();
    if (agent->loop == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    agent->step_timer = (struct loop_timer){.fire = agent_on_step, .context = agent};
    agent->register_timer = (struct loop_timer){.fire = agent_register, .context = agent};
    TRY(agent_time_open(agent, err));
    TRY(agent_signals_watch(agent, err));
    TRY(open_client(agent, err));
    TRY(find_sweep(agent, err));
    TRY(state_dir_open(options->state_dir, agent->host, agent->sweep_id, options->submit != NULL,
                       &agent->state, err));
    return make_slots(agent, err);
}

static void nothing(void *context)
{
    (void)context;
}

/* Streams that have closed leave their last event behind; handling it frees them. */
static void free_loop(struct agent *agent)
{
    struct loop_timer *timers[] = {&agent->step_timer, &agent->register_timer, &agent->stop_timer,
                                   &agent->term_timer, &agent->time_timer};
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        loop_timer_forget(agent->loop, timers[i]);
    loop_post(agent->loop, nothing, NULL);
    loop_run_once(agent->loop);
    loop_free(agent->loop);
}

/* Refused while a run has left something in it, or has just begun. */
static void drop_empty_run_root(const struct agent *agent)
{
    char path[PATH_MAX];
    const char *workdir = agent->options->workdir;
    if (agent->around.run_root[0] != '\0')
        return;
    int printed = snprintf(path, sizeof path, "%s/" RUN_ROOT_NAME, workdir != NULL ? workdir : ".");
    if (printed < (int)sizeof path)
        (void)rmdir(path);
}

/* After leaving in haste calls may still answer into client and loop: then those are left to the process's
 * end. */
void agent_tear_down(struct agent *agent)
{
    bool in_haste = agent->left_behind || agent->call != NULL;
    for (int i = 0; agent->slots != NULL && i < agent->slot_count; i++) {
        in_haste = in_haste || agent->slots[i].call != NULL;
        slot_free(&agent->slots[i]);
    }
    free(agent->slots);
    agent->slots = NULL;
    agent->slot_count = 0;
    state_dir_close(&agent->state);
    drop_empty_run_root(agent);
    surroundings_close(&agent->around);
    free(agent->submit_params);
    agent->submit_params = NULL;
    loop_watch_remove(agent->signal_watch);
    if (agent->signal_fd >= 0)
        close(agent->signal_fd);
    if (in_haste)
        return;
    besom_client_free(agent->client);
    if (agent->loop != NULL)
        free_loop(agent);
    free(agent->sweep_id);
    free(agent);
}
