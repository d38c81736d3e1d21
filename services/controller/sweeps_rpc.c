// SPDX-License-Identifier: GPL-3.0-or-later
/* SweepService, but for CreateSweep and WatchSweep: read, change and delete sweeps, list runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "db/store/stops.h"
#include "services/controller/handlers.h"
#include "services/controller/page.h"
#include "services/controller/picture.h"
#include "services/controller/refill.h"
#include "services/controller/request.h"
#include "services/controller/run_state.h"
#include "services/controller/single_runs.h"
#include "services/controller/sweep_state.h"
#include "services/controller/track.h"

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* ---- GetSweep ---- */

static enum status check_get(struct request *request, struct err *err)
{
    return request_check_sweep(request, ((const Besom__V1__GetSweepRequest *)request->message)->sweep_id,
                               err);
}

static enum status run_get(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__GetSweepRequest *message = request->message;
    Besom__V1__GetSweepResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__GetSweepResponse, besom__v1__get_sweep_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(picture_sweep(tx, message->sweep_id, &response->sweep, err));
    TRY(picture_best(tx, message->sweep_id, &response->best, err));
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan get_sweep_plan = {.check = check_get, .run = run_get, .read_only = true};
REQUEST_HANDLER(get_sweep)

/* ---- ListSweeps; the page token is "TIME:ID" of the last entry ---- */

static enum status make_sweeps(struct store_tx *tx, const struct store_sweep *sweeps, size_t count,
                               Besom__V1__ListSweepsResponse *response, struct err *err)
{
    struct arena *arena = store_tx_arena(tx);
    struct store_run_counts *counts = arena_calloc(arena, count + 1, sizeof *counts);
    const char **ids = arena_calloc(arena, count + 1, sizeof(*ids));
    response->sweeps = arena_calloc(arena, count + 1, sizeof(*response->sweeps));
    if (counts == NULL || ids == NULL || response->sweeps == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        ids[i] = sweeps[i].sweep_id;
    if (count > 0)
        TRY(store_count_runs_of(tx, ids, count, counts, err));
    for (size_t i = 0; i < count; i++) {
        response->sweeps[i] = message_of_sweep(arena, &sweeps[i], &counts[i]);
        if (response->sweeps[i] == NULL)
            return no_memory(err);
    }
    response->n_sweeps = count;
    return STATUS_OK;
}

static enum status run_list(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__ListSweepsRequest *message = request->message;
    struct store_sweep *sweeps;
    const struct rpc_identity *caller = rpc_call_identity(request->call);
    struct page_mark after;
    size_t count;
    int limit = 0;
    Besom__V1__ListSweepsResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__ListSweepsResponse, besom__v1__list_sweeps_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(page_size(message->page_size, &limit, err));
    TRY(page_read_mark(message->page_token, "ListSweeps", &after, err));
    const struct store_reach reach = {caller->project, caller->sweep};
    TRY(store_list_sweeps(tx, message->project, &reach, after.us, after.id, limit + 1, &sweeps, &count, err));
    bool more = count > (size_t)limit;
    count = more ? (size_t)limit : count;
    TRY(make_sweeps(tx, sweeps, count, response, err));
    if (more)
        response->next_page_token =
            page_write_mark(store_tx_arena(tx), sweeps[count - 1].created_us, sweeps[count - 1].sweep_id);
    request->response = &response->base;
    return response->next_page_token != NULL ? STATUS_OK : no_memory(err);
}

static const struct request_plan list_sweeps_plan = {.run = run_list, .read_only = true};
REQUEST_HANDLER(list_sweeps)

/* ---- ChangeSweep ---- */

static bool order_of(Besom__V1__SweepAction action, enum sweep_order *out)
{
    if (action < BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_PAUSE ||
        action > BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_CANCEL)
        return false;
    *out = (enum sweep_order)((int)action - (int)BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_PAUSE);
    return true;
}

static enum status check_change(struct request *request, struct err *err)
{
    const Besom__V1__ChangeSweepRequest *message = request->message;
    enum sweep_order order;
    if (!order_of(message->action, &order))
        return err_set(err, STATUS_INVALID, "action %d is not known", (int)message->action);
    return request_check_sweep(request, message->sweep_id, err);
}

static enum status apply_order(struct store_tx *tx, const struct request *request, const char *sweep_id,
                               enum sweep_order order, struct err *err)
{
    struct store_sweep sweep;
    enum sweep_state from, to;
    int64_t killed = 0;
    TRY(picture_get_sweep(tx, sweep_id, true, &sweep, err));
    if (!sweep_state_from_name(sweep.state, &from))
        return err_set(err, STATUS_INTERNAL, "sweep %s is in state %s", sweep_id, sweep.state);
    if (order != SWEEP_RESUME)
        TRY(single_runs_refuse(sweep.method, sweep_id, "paused or ended (stop its runs, or delete it)", err));
    TRY(sweep_state_apply(from, order, &to, err));
    if (order == SWEEP_CANCEL)
        TRY(store_add_directives_for_sweep(tx, sweep_id, "kill", "the sweep was canceled", &killed, err));
    if (order == SWEEP_CANCEL)
        TRY(store_end_paused_runs(tx, sweep_id, "killed", "user", err));
    if (order == SWEEP_STOP)
        TRY(store_end_paused_runs(tx, sweep_id, "stopped", "early_stop", err));
    if (to == from)
        return STATUS_OK;
    TRY(store_set_sweep_state(tx, sweep_id, sweep_state_name(to), sweep_order_reason(order), err));
    char detail[64];
    (void)snprintf(detail, sizeof detail, "%s to %s", sweep.state, sweep_state_name(to));
    return store_add_event(tx, sweep_id, "sweep_changed", rpc_call_identity(request->call)->subject, "",
                           detail, err);
}

static enum status run_change(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__ChangeSweepRequest *message = request->message;
    enum sweep_order order = SWEEP_PAUSE;
    Besom__V1__ChangeSweepResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__ChangeSweepResponse,
                                                           besom__v1__change_sweep_response__init);
    if (response == NULL)
        return no_memory(err);
    (void)order_of(message->action, &order);
    TRY(apply_order(tx, request, message->sweep_id, order, err));
    TRY(picture_sweep(tx, message->sweep_id, &response->sweep, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_change(struct request *request)
{
    const Besom__V1__ChangeSweepRequest *message = request->message;
    const Besom__V1__ChangeSweepResponse *response = (const void *)request->response;
    request->woken = message->sweep_id;
    log_info(CONTROLLER_LOG, "sweep_changed", LOG_TEXT("sweep", message->sweep_id),
             LOG_TEXT("reason", response->sweep->state_reason),
             LOG_TEXT("by", rpc_call_identity(request->call)->subject));
    if (request->controller->refill != NULL)
        refill_wake(request->controller->refill);
}

static const struct request_plan change_sweep_plan = {
    .check = check_change, .run = run_change, .after = after_change};
REQUEST_HANDLER(change_sweep)

/* ---- DeleteSweep ---- */

static enum status check_delete(struct request *request, struct err *err)
{
    return request_check_sweep(request, ((const Besom__V1__DeleteSweepRequest *)request->message)->sweep_id,
                               err);
}

static enum status run_delete(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__DeleteSweepRequest *message = request->message;
    struct store_sweep sweep;
    struct store_run_counts counts;
    Besom__V1__DeleteSweepResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__DeleteSweepResponse,
                                                           besom__v1__delete_sweep_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(picture_get_sweep(tx, message->sweep_id, true, &sweep, err));
    TRY(store_count_runs(tx, message->sweep_id, &counts, err));
    int64_t running = counts.running + counts.unreachable;
    if (running + counts.paused > 0 && !message->force)
        return err_set(err, STATUS_PRECONDITION,
                       "sweep %s has %" PRId64 " running and %" PRId64
                       " paused runs (cancel it first, or force the deletion)",
                       message->sweep_id, running, counts.paused);
    TRY(store_add_event(tx, message->sweep_id, "sweep_deleted", rpc_call_identity(request->call)->subject, "",
                        sweep.name, err));
    TRY(store_delete_sweep(tx, message->sweep_id, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_delete(struct request *request)
{
    const Besom__V1__DeleteSweepRequest *message = request->message;
    request->woken = message->sweep_id;
    if (request->controller->tracks != NULL)
        tracks_kill(request->controller->tracks, message->sweep_id, "the sweep was deleted");
    log_info(CONTROLLER_LOG, "sweep_deleted", LOG_TEXT("sweep", message->sweep_id),
             LOG_TEXT("by", rpc_call_identity(request->call)->subject));
}

static const struct request_plan delete_sweep_plan = {
    .check = check_delete, .run = run_delete, .after = after_delete};
REQUEST_HANDLER(delete_sweep)

/* ---- ListRuns; the page token is an offset ---- */

static enum status check_list_runs(struct request *request, struct err *err)
{
    const Besom__V1__ListRunsRequest *message = request->message;
    for (size_t i = 0; i < message->n_states; i++)
        if (message->states[i] < BESOM__V1__RUN_STATE__RUN_STATE_PENDING ||
            message->states[i] > BESOM__V1__RUN_STATE__RUN_STATE_CRASHED)
            return err_set(err, STATUS_INVALID, "state %d is not known", (int)message->states[i]);
    if (message->order < BESOM__V1__RUN_ORDER__RUN_ORDER_UNSPECIFIED ||
        message->order > BESOM__V1__RUN_ORDER__RUN_ORDER_NEWEST)
        return err_set(err, STATUS_INVALID, "order %d is not known", (int)message->order);
    return request_check_sweep(request, message->sweep_id, err);
}

static enum status join_states(const Besom__V1__ListRunsRequest *message, struct buffer *out, struct err *err)
{
    for (size_t i = 0; i < message->n_states; i++)
        buffer_printf(out, "%s%s", i > 0 ? "," : "",
                      run_state_name((enum run_state)(message->states[i] - 1)));
    return out->failed ? no_memory(err) : STATUS_OK;
}

static enum status run_list_runs(struct store_tx *tx, struct request *request, struct err *err)
{
    static const enum store_run_order orders[] = {STORE_BY_ORDINAL, STORE_BY_OBJECTIVE, STORE_BY_NEWEST};
    const Besom__V1__ListRunsRequest *message = request->message;
    struct buffer states CLEANUP(buffer_free) = BUFFER_INIT;
    struct store_sweep sweep;
    struct store_run *runs;
    int64_t offset;
    size_t count;
    int limit = 0;
    Besom__V1__ListRunsResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__ListRunsResponse, besom__v1__list_runs_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(page_size(message->page_size, &limit, err));
    TRY(page_read_number(message->page_token, "ListRuns", 0, &offset, err));
    TRY(join_states(message, &states, err));
    TRY(picture_get_sweep(tx, message->sweep_id, false, &sweep, err));
    TRY(store_list_runs(tx, message->sweep_id, buffer_text(&states), orders[message->order], offset,
                        limit + 1, &runs, &count, err));
    size_t wanted = count > (size_t)limit ? (size_t)limit : count;
    TRY(picture_runs(tx, message->sweep_id, runs, wanted, PICTURE_BYTES_MAX, &response->runs,
                     &response->n_runs, err));
    if (response->n_runs == 0 && wanted > 0)
        response->n_runs = 1; /* whatever its size: the next page begins with the first that is left */
    if (response->n_runs < count)
        response->next_page_token =
            arena_printf(store_tx_arena(tx), "%" PRId64, offset + (int64_t)response->n_runs);
    request->response = &response->base;
    return response->next_page_token != NULL ? STATUS_OK : no_memory(err);
}

static const struct request_plan list_runs_plan = {
    .check = check_list_runs, .run = run_list_runs, .read_only = true};
REQUEST_HANDLER(list_runs)
