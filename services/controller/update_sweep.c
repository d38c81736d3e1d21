// SPDX-License-Identifier: GPL-3.0-or-later
/* UpdateSweep: another file becomes the next version of a sweep's spec. What makes runs comparable stays. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "db/store/runs.h"
#include "db/store/sweeps.h"
#include "services/controller/handlers.h"
#include "services/controller/picture.h"
#include "services/controller/refill.h"
#include "services/controller/request.h"
#include "services/controller/single_runs.h"
#include "services/controller/sweep_source.h"
#include "services/controller/target.h"
#include "services/controller/tried.h"

#define USED_MAX 100000 /* runs that are compared with a new grid to count what is to come */

/* One try of the transaction. */
struct update {
    const Besom__V1__UpdateSweepRequest *message;
    struct store_sweep sweep;
    struct spec *before; /* owned */
    struct sweep_source source;
    int64_t dropped;
};

static void update_clear(struct update *update)
{
    spec_free(update->before);
    sweep_source_free(&update->source);
}

static enum status check_update(struct request *request, struct err *err)
{
    const Besom__V1__UpdateSweepRequest *message = request->message;
    if (strlen(message->name) > SWEEP_NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a name may have %d bytes", SWEEP_NAME_MAX_BYTES);
    return request_check_sweep(request, message->sweep_id, err);
}

static enum status read_source(struct update *update, struct err *err)
{
    const Besom__V1__UpdateSweepRequest *message = update->message;
    struct spec_options options = {.name = sweep_source_given(message->name),
                                   .program = sweep_source_given(message->program)};
    TRY(sweep_source_read(&message->source, message->file_name, &options, &update->source, err));
    const struct spec *spec = update->source.spec;
    bool no_program = spec->program == NULL && update->sweep.program[0] != '\0';
    if (spec->name != NULL && !no_program)
        return STATUS_OK;
    /* What neither the file nor a flag says stays. */
    options.name = spec->name != NULL ? options.name : update->sweep.name;
    options.program = no_program ? update->sweep.program : options.program;
    sweep_source_free(&update->source);
    return sweep_source_read(&message->source, message->file_name, &options, &update->source, err);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* However the bands are written. */
static bool same_bands(const struct stop_config *a, const struct stop_config *b)
{
    int64_t bands[2][STOP_BANDS_MAX];
    size_t counts[2];
    struct err ignored = ERR_INIT;
    return stop_bands(a, bands[0], &counts[0], &ignored) == STATUS_OK &&
           stop_bands(b, bands[1], &counts[1], &ignored) == STATUS_OK && counts[0] == counts[1] &&
           memcmp(bands[0], bands[1], counts[0] * sizeof bands[0][0]) == 0;
}

/* Where runs pause, the length of a whole one says what they are compared by, too. */
static bool same_length(const struct stop_config *a, const struct stop_config *b)
{
    return !stop_type_pauses(a->type) || a->max_iter == b->max_iter;
}

static bool same_stopping(const struct spec *before, const struct spec *after)
{
    const struct stop_config *a = &before->early_terminate, *b = &after->early_terminate;
    if (before->has_early_terminate != after->has_early_terminate || !before->has_early_terminate)
        return before->has_early_terminate == after->has_early_terminate;
    return a->type == b->type && same_bands(a, b) && same_length(a, b) && a->strict == b->strict &&
           a->eta == b->eta && a->grace == b->grace && a->max_stops == b->max_stops &&
           a->min_runs == b->min_runs && a->brackets == b->brackets &&
           same_text(before->step_metric, after->step_metric);
}

/* Runs of all versions are compared with each other, so what they are compared by cannot change. */
static enum status check_same(const struct update *update, struct err *err)
{
    const struct spec *before = update->before, *after = update->source.spec;
    const char *what = NULL;
    if (before->method != after->method)
        what = "method";
    else if (!same_text(before->metric.name, after->metric.name) || before->metric.goal != after->metric.goal)
        what = "metric";
    else if (!same_stopping(before, after))
        what = "early_terminate";
    else if (after->project != NULL && strcmp(after->project, update->sweep.project) != 0)
        what = "project";
    else if (after->has_seed && after->seed != update->sweep.seed)
        what = "seed";
    if (what == NULL)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "an update cannot change %s (make a new sweep; --prior-run takes runs along)", what);
}

/* Points of the new grid, and what was run outside of it; corrected once all points are prepared. */
static enum status count_points(struct store_tx *tx, struct update *update, struct err *err)
{
    const char **used;
    size_t count;
    TRY(store_list_used_params(tx, update->sweep.sweep_id, USED_MAX, &used, &count, err));
    const struct space *space = update->source.spec->space;
    double *units = arena_calloc(store_tx_arena(tx), space_parameter_count(space) + 1, sizeof *units);
    if (units == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct err outside = ERR_INIT;
        json_t *config = json_loads(used[i], 0, NULL);
        bool inside = config != NULL && space_to_unit(space, config, units, &outside) == STATUS_OK;
        json_decref(config);
        if (!inside && update->source.grid_count < INT64_MAX)
            update->source.grid_count++;
    }
    return STATUS_OK;
}

/* A target that a run's best value reaches as soon as it is there. */
static enum status apply_target(struct store_tx *tx, const struct update *update, struct err *err)
{
    const struct spec_metric *before = &update->before->metric, *after = &update->source.spec->metric;
    struct store_run best;
    struct err none = ERR_INIT;
    bool finished = false;
    if (!after->has_target || (before->has_target && before->target == after->target))
        return STATUS_OK;
    enum status status = store_get_best_run(tx, update->sweep.sweep_id, &best, &none);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !target_is_reached(after, best.objective)))
        return STATUS_OK;
    if (status != STATUS_OK)
        return err_set(err, status, "%s", none.text);
    return target_finish_sweep(tx, update->sweep.sweep_id, best.run_id, &finished, err);
}

static enum status store(struct store_tx *tx, const struct request *request, struct update *update,
                         struct err *err)
{
    const Besom__V1__UpdateSweepRequest *message = update->message;
    const struct spec *spec = update->source.spec;
    if (update->source.has_grid_count)
        TRY(count_points(tx, update, err));
    const struct store_sweep_update row = {
        .sweep_id = message->sweep_id,
        .name = sweep_source_first_of(spec->name, update->sweep.name),
        .program = sweep_source_first_of(spec->program, NULL),
        .file_name = message->file_name,
        .spec_json = update->source.spec_json,
        .has_grid_count = update->source.has_grid_count,
        .run_cap = spec->run_cap,
        .grid_count = update->source.grid_count,
        .concurrency = spec->concurrency,
        .source = message->source.data,
        .source_length = message->source.len,
    };
    TRY(store_update_sweep(tx, &row, &update->dropped, err));
    if (strcmp(update->sweep.state, "finished") == 0)
        TRY(store_set_sweep_state(tx, message->sweep_id, "running", "updated", err));
    TRY(apply_target(tx, update, err));
    char detail[64];
    (void)snprintf(detail, sizeof detail, "version %d", update->sweep.spec_version + 1);
    return store_add_event(tx, message->sweep_id, "sweep_updated", rpc_call_identity(request->call)->subject,
                           "", detail, err);
}

static enum status apply(struct store_tx *tx, const struct request *request, struct update *update,
                         Besom__V1__UpdateSweepResponse *response, struct err *err)
{
    struct store_spec stored;
    const char *sweep_id = update->message->sweep_id;
    TRY(picture_get_sweep(tx, sweep_id, true, &update->sweep, err));
    TRY(single_runs_refuse(update->sweep.method, sweep_id, "updated", err));
    if (strcmp(update->sweep.state, "canceled") == 0)
        return err_set(err, STATUS_PRECONDITION, "sweep %s is canceled (resume it first)", sweep_id);
    TRY(read_source(update, err));
    TRY(store_get_spec(tx, sweep_id, update->sweep.spec_version, &stored, err));
    TRY(spec_from_canonical_json(stored.json, strlen(stored.json), &update->before, err));
    TRY(check_same(update, err));
    if (strcmp(stored.json, update->source.spec_json) != 0)
        TRY(tried_leave_out(tx, sweep_id, &update->source, err));
    response->changed = strcmp(stored.json, update->source.spec_json) != 0;
    if (response->changed)
        TRY(store(tx, request, update, err));
    TRY(picture_sweep(tx, sweep_id, &response->sweep, err));
    return sweep_source_split_warnings(&update->source, store_tx_arena(tx), &response->warnings,
                                       &response->n_warnings, err);
}

static enum status run_update(struct store_tx *tx, struct request *request, struct err *err)
{
    struct update update CLEANUP(update_clear) = {.message = request->message,
                                                  .source = {.warnings = BUFFER_INIT}};
    Besom__V1__UpdateSweepResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__UpdateSweepResponse,
                                                           besom__v1__update_sweep_response__init);
    if (response == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(apply(tx, request, &update, response, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_update(struct request *request)
{
    const Besom__V1__UpdateSweepRequest *message = request->message;
    const Besom__V1__UpdateSweepResponse *response = (const void *)request->response;
    if (!response->changed)
        return;
    request->woken = message->sweep_id;
    log_info(CONTROLLER_LOG, "sweep_updated", LOG_TEXT("sweep", message->sweep_id),
             LOG_INT("version", response->sweep->spec_version),
             LOG_TEXT("by", rpc_call_identity(request->call)->subject));
    if (request->controller->refill != NULL)
        refill_wake(request->controller->refill);
}

static const struct request_plan update_sweep_plan = {
    .check = check_update, .run = run_update, .after = after_update};

REQUEST_HANDLER(update_sweep)
