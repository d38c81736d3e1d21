// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/finish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/store/sweeps.h"
#include "services/controller/group.h"
#include "services/controller/ids.h"
#include "services/controller/metrics.h"
#include "services/controller/reaper.h"
#include "services/controller/refill.h"
#include "services/controller/request.h"
#include "services/controller/single_runs.h"
#include "services/controller/stops.h"
#include "services/controller/wake.h"

#define GROUP_MAX 256
#define LINGER_MS 2
#define ERROR_TEXT_MAX 4096

struct finish {
    struct controller *controller;
    struct group *group; /* owned */
};

struct finish_item {
    struct group_item base;
    struct rpc_call *call;
    const Besom__V1__FinishRunRequest *request; /* in the call's arena */
    const struct facts *facts;                  /* owned */
    struct end_verdict end;
    /* the verdict */
    enum store_finish_verdict verdict;
    bool requeued;
    int64_t last_sequence;
    char state[16], end_reason[64];
};

struct commit {
    struct controller *controller;
    struct finish_item **items; /* sorted by run */
    size_t count;
};

void finish_apply(const struct facts *facts, const struct end_verdict *verdict, struct store_finish *out)
{
    out->state = run_state_name(verdict->state);
    out->end_reason = verdict->reason;
    out->may_retry =
        (facts->spec->retry.on & verdict->retry_class) != 0 && !single_runs_is_method(facts->method);
    out->retries_max = facts->spec->retry.max;
    out->has_objective = facts->metric[0] != '\0';
}

enum status finish_add_event(struct store_tx *tx, const struct store_finish *item,
                             const struct store_finish_result *result, const char *actor, const char *token,
                             struct err *err)
{
    bool plain = strcmp(item->state, "finished") == 0;
    if (plain || !result->ended_now)
        return STATUS_OK;
    char detail[224];
    (void)snprintf(detail, sizeof detail, "attempt %d: %s%s%s", item->attempt, item->end_reason,
                   token[0] != '\0' ? ", told with token " : "", token);
    const char *kind = result->requeued                       ? "run_requeued"
                       : strcmp(result->state, "paused") == 0 ? "run_paused"
                                                              : "run_ended";
    return store_add_event(tx, item->sweep_id, kind, actor, item->run_id, detail, err);
}

static int compare_items(const void *a, const void *b)
{
    const struct finish_item *left = *(struct finish_item *const *)a;
    const struct finish_item *right = *(struct finish_item *const *)b;
    int order = strcmp(left->request->sweep_id, right->request->sweep_id);
    return order != 0 ? order : strcmp(left->request->run_id, right->request->run_id);
}

/* What the run was told and said of itself; not needed for a plain end. */
static enum status judge(struct store_tx *tx, struct finish_item *item, struct err *err)
{
    const Besom__V1__FinishRunRequest *request = item->request;
    struct end_facts facts = {.end_class = request->end_class,
                              .exit_code = request->exit_code,
                              .signal = request->signal,
                              .directive = ""};
    if (!end_class_is_plain(facts.end_class, facts.exit_code)) {
        struct store_end_facts stored = {.directive_kind = ""};
        TRY(store_get_end_facts(tx, request->sweep_id, request->run_id, request->attempt, &stored, err));
        facts.directive = stored.directive_kind;
        facts.preempting = stored.preempting;
    }
    return end_class_judge(&facts, &item->end, err);
}

static struct store_finish make_end(const struct finish_item *item)
{
    const Besom__V1__FinishRunRequest *request = item->request;
    struct store_finish end = {.sweep_id = request->sweep_id,
                               .run_id = request->run_id,
                               .agent_id = request->agent_id,
                               .attempt = request->attempt,
                               .error_text = request->error_text,
                               .exit_code = request->exit_code,
                               .signal = request->signal,
                               .run_time_ms = request->run_time_ms,
                               .final_sequence = request->final_sequence};
    finish_apply(item->facts, &item->end, &end);
    return end;
}

static void keep_result(struct finish_item *item, const struct store_finish_result *result)
{
    item->verdict = result->verdict;
    item->requeued = result->requeued;
    item->last_sequence = result->last_sequence;
    (void)snprintf(item->state, sizeof item->state, "%s", result->state != NULL ? result->state : "");
    (void)snprintf(item->end_reason, sizeof item->end_reason, "%s",
                   result->end_reason != NULL ? result->end_reason : "");
}

static enum status end_runs(struct store_tx *tx, void *context, struct err *err)
{
    struct commit *commit = context;
    struct arena *arena = store_tx_arena(tx);
    struct store_finish *ends = arena_calloc(arena, commit->count, sizeof *ends);
    struct store_finish_result *results = arena_calloc(arena, commit->count, sizeof *results);
    if (ends == NULL || results == NULL)
        return err_set(err, STATUS_NO_MEMORY, "ending runs: out of memory");
    for (size_t i = 0; i < commit->count; i++) {
        TRY(judge(tx, commit->items[i], err));
        ends[i] = make_end(commit->items[i]);
    }
    TRY(store_finish_runs(tx, ends, commit->count, results, err));
    for (size_t i = 0; i < commit->count; i++) {
        TRY(finish_add_event(tx, &ends[i], &results[i], ends[i].agent_id,
                             rpc_call_identity(commit->items[i]->call)->subject, err));
        keep_result(commit->items[i], &results[i]);
    }
    return STATUS_OK;
}

/* Two calls about one run in a group: split, so that the second sees what the first did. */
static bool has_twins(const struct commit *commit)
{
    for (size_t i = 1; i < commit->count; i++)
        if (compare_items(&commit->items[i - 1], &commit->items[i]) == 0)
            return true;
    return false;
}

static enum status commit_ends(void *context, struct group_item *const *items, size_t count, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct commit commit = {.controller = context, .count = count};
    commit.items = calloc(count, sizeof(*commit.items));
    if (commit.items == NULL)
        return err_set(err, STATUS_NO_MEMORY, "ending runs: out of memory");
    for (size_t i = 0; i < count; i++)
        commit.items[i] = (struct finish_item *)(void *)items[i];
    qsort(commit.items, count, sizeof(*commit.items), compare_items);
    enum status status = has_twins(&commit)
                             ? err_set(err, STATUS_INVALID, "two ends of one run at a time")
                             : store_transaction(commit.controller->store, &arena, end_runs, &commit, err);
    free(commit.items);
    return status;
}

/* ---- answers ---- */

static void send_again(const struct finish_item *item)
{
    Besom__V1__FinishRunResponse response = BESOM__V1__FINISH_RUN_RESPONSE__INIT;
    Besom__V1__FinishAgain again = BESOM__V1__FINISH_AGAIN__INIT;
    again.last_sequence = item->last_sequence;
    response.verdict_case = BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_AGAIN;
    response.again = &again;
    rpc_call_reply(item->call, &response.base);
}

static void send_done(struct finish_item *item)
{
    Besom__V1__FinishRunResponse response = BESOM__V1__FINISH_RUN_RESPONSE__INIT;
    Besom__V1__FinishDone done = BESOM__V1__FINISH_DONE__INIT;
    done.state = run_state_to_message(item->state);
    done.end_reason = item->end_reason;
    done.requeued = item->requeued;
    done.superseded = item->verdict == STORE_FINISH_SUPERSEDED;
    response.verdict_case = BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE;
    response.done = &done;
    rpc_call_reply(item->call, &response.base);
}

static void follow_up(struct controller *controller, const struct finish_item *item)
{
    if (item->verdict != STORE_FINISH_DONE)
        return;
    controller_count_end(item->state, item->requeued);
    log_debug(CONTROLLER_LOG, "run_ended", LOG_TEXT("sweep", item->request->sweep_id),
              LOG_TEXT("run", item->request->run_id), LOG_INT("attempt", item->request->attempt),
              LOG_TEXT("state", item->state), LOG_TEXT("reason", item->end_reason),
              LOG_BOOL("requeued", item->requeued));
    if (controller->stops != NULL && facts_pause(item->facts))
        stops_look(controller->stops);
    if (controller->refill != NULL && spec_method_learns(item->facts->spec->method))
        refill_wake(controller->refill);
    if (item->requeued || item->facts->spec->concurrency > 0)
        wake_sweep(controller, item->request->sweep_id);
    else if (controller->reaper != NULL)
        reaper_look_for_idle(controller->reaper);
}

static void answer_end(void *context, struct group_item *base, const struct err *err)
{
    struct finish_item *item = (struct finish_item *)(void *)base;
    if (err->code != STATUS_OK) {
        request_fail(item->call, err);
    } else {
        follow_up(context, item);
        if (item->verdict == STORE_FINISH_AGAIN)
            send_again(item);
        else
            send_done(item);
    }
    facts_release(item->facts);
    free(item);
}

/* ---- the handler ---- */

static enum status check(struct controller *controller, struct rpc_call *call,
                         const Besom__V1__FinishRunRequest *request, struct err *err)
{
    const struct end_facts facts = {.end_class = request->end_class, .directive = ""};
    struct end_verdict verdict;
    TRY(request_check_id("sweep", request->sweep_id, err));
    TRY(request_check_id("run", request->run_id, err));
    TRY(agent_id_check(request->agent_id, err));
    TRY(end_class_judge(&facts, &verdict, err));
    if (request->attempt < 1 || request->final_sequence < 0)
        return err_set(err, STATUS_INVALID, "attempt must be at least 1 and final_sequence at least 0");
    if (strlen(request->error_text) > ERROR_TEXT_MAX)
        return err_set(err, STATUS_INVALID, "error_text may have %d bytes", ERROR_TEXT_MAX);
    return request_allow(controller, rpc_call_identity(call), request->sweep_id, err);
}

static enum status submit(struct controller *controller, struct rpc_call *call,
                          const Besom__V1__FinishRunRequest *request, struct err *err)
{
    const struct facts *facts = NULL;
    TRY(check(controller, call, request, err));
    TRY(facts_get(controller->facts, request->sweep_id, 0, &facts, err));
    struct finish_item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        facts_release(facts);
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    item->call = call;
    item->request = request;
    item->facts = facts;
    group_submit(controller->finish->group, facts_hash(request->sweep_id, ""), &item->base);
    return STATUS_OK;
}

void finish_serve(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    struct err err = ERR_INIT;
    if (submit(service, call, (const Besom__V1__FinishRunRequest *)(const void *)message, &err) != STATUS_OK)
        request_fail(call, &err);
}

enum status finish_start(struct controller *controller, struct finish **out, struct err *err)
{
    const struct group_options options = {.name = "finish",
                                          .lanes = 2,
                                          .max_items = GROUP_MAX,
                                          .linger_ms = LINGER_MS,
                                          .run = commit_ends,
                                          .answer = answer_end,
                                          .context = controller};
    struct finish *finish = calloc(1, sizeof *finish);
    *out = NULL;
    if (finish == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    finish->controller = controller;
    enum status status = group_new(&options, &finish->group, err);
    if (status != STATUS_OK) {
        free(finish);
        return status;
    }
    *out = finish;
    return STATUS_OK;
}

void finish_stop(struct finish *finish)
{
    if (finish == NULL)
        return;
    group_free(finish->group);
    free(finish);
}
