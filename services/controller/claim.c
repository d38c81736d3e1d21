// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/claim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/store/runs.h"
#include "services/controller/claim_answer.h"
#include "services/controller/claim_table.h"
#include "services/controller/facts.h"
#include "services/controller/gate.h"
#include "services/controller/ids.h"
#include "services/controller/refill.h"
#include "services/controller/request.h"
#include "services/controller/single_runs.h"

#define THREADS 2
#define TURN_MAX 256
#define WAIT_MAX_MS 60000
#define RESTARTING "the controller is restarting"

struct claims {
    struct controller *controller;
    struct claim_table *table; /* owned */
    pthread_t threads[THREADS];
    size_t started;
};

/* One transaction for callers of one sweep. */
struct serving {
    struct controller *controller;
    const char *sweep_id;
    struct claim_waiter *waiters[TURN_MAX];
    struct store_claim_key keys[TURN_MAX];
    struct store_claim claims[TURN_MAX];
    struct store_claim_sweep sweep;
    size_t count;
    struct arena arena; /* owned; of the last transaction, whose texts `sweep` holds */
};

static enum status claim_runs(struct store_tx *tx, void *context, struct err *err)
{
    struct serving *serving = context;
    return store_claim_runs(tx, serving->sweep_id, serving->keys, serving->count,
                            serving->controller->options->lease_ms, serving->claims, &serving->sweep, err);
}

static void load_list(struct serving *serving, struct claim_list *list)
{
    struct claim_waiter *waiter;
    serving->count = 0;
    while (serving->count < TURN_MAX && (waiter = claim_list_pop(list)) != NULL) {
        serving->waiters[serving->count] = waiter;
        serving->keys[serving->count++] = (struct store_claim_key){
            .agent_id = waiter->agent_id, .slot = waiter->slot, .counter = waiter->counter};
    }
}

static void fail_waiter(struct claim_waiter *waiter, const struct err *err)
{
    request_fail(waiter->call, err);
    free(waiter);
}

static void answer_wait(struct claim_list *list, const char *reason)
{
    struct claim_waiter *waiter;
    while ((waiter = claim_list_pop(list)) != NULL) {
        claim_answer_wait(waiter->call, reason);
        free(waiter);
    }
}

/* Who got nothing waits on, but for those whose time here is over. */
static void park_again(struct claims *claims, struct claim_turn *turn, struct claim_list *list)
{
    claim_table_return(claims->table, turn, list);
    answer_wait(list, RESTARTING);
}

/* The refill learns how fast the queue drains; returns whether somebody got nothing. */
static bool note_taken(const struct serving *serving)
{
    int64_t taken = 0;
    bool empty = false;
    for (size_t i = 0; i < serving->count; i++) {
        taken += serving->claims[i].verdict == STORE_CLAIM_RUN;
        empty = empty || serving->claims[i].verdict == STORE_CLAIM_NONE;
    }
    if (taken > 0 && serving->controller->refill != NULL)
        refill_note_taken(serving->controller->refill, serving->sweep_id, taken);
    if (empty && serving->controller->refill != NULL)
        refill_note_empty(serving->controller->refill, serving->sweep_id);
    return empty;
}

/* A run is answered with the version of the spec that made it. */
static enum status match_facts(const struct serving *serving, const struct store_claim *claim,
                               const struct facts **facts, struct err *err)
{
    const struct facts *own;
    if (claim->verdict != STORE_CLAIM_RUN || (*facts)->version == claim->spec_version)
        return STATUS_OK;
    TRY(facts_get(serving->controller->facts, serving->sweep_id, claim->spec_version, &own, err));
    facts_release(*facts);
    *facts = own;
    return STATUS_OK;
}

/* Answers those with a verdict; the others go to `left`. */
static void answer_claims(struct serving *serving, const struct facts **facts, struct claim_list *left)
{
    bool leave = claim_answer_is_over(&serving->sweep);
    for (size_t i = 0; i < serving->count; i++) {
        struct claim_waiter *waiter = serving->waiters[i];
        if (serving->claims[i].verdict == STORE_CLAIM_NONE && !leave) {
            claim_list_append(left, waiter);
            continue;
        }
        struct err err = ERR_INIT;
        if (match_facts(serving, &serving->claims[i], facts, &err) != STATUS_OK) {
            fail_waiter(waiter, &err); /* the run is its caller's: asking again gives it */
            continue;
        }
        const struct claim_answer answer = {.facts = *facts, .sweep = &serving->sweep};
        claim_answer_send(&answer, &serving->claims[i], waiter->agent_id, waiter->call);
        free(waiter);
    }
}

static void note_reason(struct claims *claims, struct claim_turn *turn, const struct store_claim_sweep *sweep)
{
    char reason[CLAIM_REASON_MAX], note[CLAIM_REASON_MAX] = "";
    if (claims->controller->refill != NULL)
        refill_get_note(claims->controller->refill, turn->sweep_id, note, sizeof note);
    claim_answer_reason(sweep, note, reason, sizeof reason);
    bool closed = !claim_answer_hands_out(sweep->state) && !claim_answer_is_over(sweep);
    claim_table_set_reason(claims->table, turn->sweep, reason, closed);
}

/* The database's refusal: a conflict or an outage keeps callers parked, anything else is told. */
static void settle_failure(struct claims *claims, struct claim_turn *turn, struct serving *serving,
                           const struct err *err, struct claim_list *left)
{
    bool wait = status_info(err->code)->retry;
    if (wait)
        claim_table_set_reason(claims->table, turn->sweep, "the database is unavailable", false);
    for (size_t i = 0; i < serving->count; i++)
        if (wait)
            claim_list_append(left, serving->waiters[i]);
        else
            fail_waiter(serving->waiters[i], err);
}

/* Serves a list in one transaction; who got nothing is parked again. Returns false after a failure. */
static bool serve_list(struct claims *claims, struct claim_turn *turn, struct claim_list *list,
                       struct serving *serving)
{
    const struct facts *facts CLEANUP(facts_release_at) = NULL;
    struct claim_list left = {.first = NULL};
    struct err err = ERR_INIT;
    load_list(serving, list);
    enum status status = facts_get(claims->controller->facts, turn->sweep_id, 0, &facts, &err);
    if (status == STATUS_OK)
        status = single_runs_refuse(facts->method, turn->sweep_id, "asked for runs", &err);
    if (status == STATUS_OK)
        status = gate_transaction(claims->controller->gate, &serving->arena, claim_runs, serving, &err);
    if (status == STATUS_OK) {
        if (note_taken(serving))
            note_reason(claims, turn, &serving->sweep);
        answer_claims(serving, &facts, &left);
    } else {
        settle_failure(claims, turn, serving, &err, &left);
    }
    park_again(claims, turn, &left);
    return status == STATUS_OK;
}

static enum status read_sweep(struct store_tx *tx, void *context, struct err *err)
{
    struct serving *serving = context;
    return store_get_claim_sweep(tx, serving->sweep_id, &serving->sweep, err);
}

/* How many of those who wait can be answered now. */
static size_t count_servable(const struct store_claim_sweep *sweep)
{
    if (claim_answer_is_over(sweep))
        return SIZE_MAX;
    return claim_answer_hands_out(sweep->state) ? (size_t)store_claim_room(sweep) : 0;
}

/* The sweep is gone, say: everybody is told the same. */
static void fail_waiting(struct claims *claims, struct claim_turn *turn, const struct err *err)
{
    struct claim_list all = claim_table_take(claims->table, turn, SIZE_MAX);
    struct claim_waiter *waiter;
    while ((waiter = claim_list_pop(&all)) != NULL)
        fail_waiter(waiter, err);
}

/* Callers that wait cost one cheap query until there is something for them. */
static void look_for_waiting(struct claims *claims, struct claim_turn *turn, struct serving *serving)
{
    struct err err = ERR_INIT;
    enum status status = gate_read(claims->controller->gate, &serving->arena, read_sweep, serving, &err);
    if (status != STATUS_OK && status_info(status)->retry)
        claim_table_set_reason(claims->table, turn->sweep, "the database is unavailable", false);
    else if (status != STATUS_OK)
        fail_waiting(claims, turn, &err);
    if (status != STATUS_OK)
        return;
    note_reason(claims, turn, &serving->sweep);
    for (size_t wanted = count_servable(&serving->sweep); wanted > 0;) {
        struct claim_list taken =
            claim_table_take(claims->table, turn, wanted < TURN_MAX ? wanted : TURN_MAX);
        size_t count = taken.count;
        if (count == 0 || !serve_list(claims, turn, &taken, serving))
            return;
        wanted -= count;
    }
}

static void expire_waiters(struct claims *claims, struct claim_list *expired)
{
    struct claim_waiter *waiter;
    char reason[CLAIM_REASON_MAX];
    while ((waiter = claim_list_pop(expired)) != NULL) {
        claim_table_leave(claims->table, waiter, reason);
        claim_answer_wait(waiter->call, reason);
        free(waiter);
    }
}

static void take_turn(struct claims *claims, struct claim_turn *turn)
{
    struct serving *serving = calloc(1, sizeof *serving);
    if (serving == NULL) {
        park_again(claims, turn, &turn->fresh);
        claim_table_end(claims->table, turn);
        return;
    }
    serving->controller = claims->controller;
    serving->sweep_id = turn->sweep_id;
    serving->arena = arena_make(0);
    bool served = turn->fresh.count == 0 || serve_list(claims, turn, &turn->fresh, serving);
    if (turn->look && served)
        look_for_waiting(claims, turn, serving);
    claim_table_end(claims->table, turn);
    arena_free(&serving->arena);
    free(serving);
}

static void *serve_turns(void *argument)
{
    struct claims *claims = argument;
    struct claim_turn turn;
    struct claim_list expired;
    while (claim_table_begin(claims->table, TURN_MAX, claims->controller->options->claim_poll_ms, &turn,
                             &expired)) {
        expire_waiters(claims, &expired);
        if (turn.sweep != NULL)
            take_turn(claims, &turn);
    }
    return NULL;
}

enum status claims_start(struct controller *controller, struct claims **out, struct err *err)
{
    struct claims *claims = calloc(1, sizeof *claims);
    *out = NULL;
    if (claims == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    claims->controller = controller;
    enum status status = claim_table_new(&clock_system, &claims->table, err);
    if (status != STATUS_OK) {
        free(claims);
        return status;
    }
    for (size_t i = 0; i < THREADS && status == STATUS_OK; i++) {
        int failure = pthread_create(&claims->threads[i], NULL, serve_turns, claims);
        if (failure != 0)
            status = err_set_errno(err, STATUS_IO, failure, "starting a claim thread");
        else
            (void)pthread_setname_np(claims->threads[claims->started++], "claim");
    }
    if (status != STATUS_OK) {
        claims_end(claims);
        claims_free(claims);
        return status;
    }
    *out = claims;
    return STATUS_OK;
}

void claims_drain(struct claims *claims)
{
    struct claim_list all = claim_table_close(claims->table);
    answer_wait(&all, RESTARTING);
}

void claims_end(struct claims *claims)
{
    if (claims == NULL)
        return;
    claims_drain(claims);
    for (size_t i = 0; i < claims->started; i++)
        pthread_join(claims->threads[i], NULL);
}

void claims_free(struct claims *claims)
{
    if (claims == NULL)
        return;
    claim_table_free(claims->table);
    free(claims);
}

void claims_wake(struct claims *claims, const char *sweep_id)
{
    claim_table_wake(claims->table, sweep_id);
}

size_t claims_count(struct claims *claims, const char *sweep_id)
{
    return claim_table_count(claims->table, sweep_id);
}

size_t claims_count_starving(struct claims *claims)
{
    return claim_table_count_waiting(claims->table, CLAIM_ANSWER_STARVING);
}

void claims_get_shortage(struct claims *claims, const char *sweep_id, char out[CLAIM_REASON_MAX])
{
    static const char fault[] = CLAIM_ANSWER_STARVING ":";
    claim_table_get_reason(claims->table, sweep_id, out);
    if (strncmp(out, fault, sizeof fault - 1) != 0)
        out[0] = '\0';
}

/* ---- the handler ---- */

static enum status check_acquire(struct controller *controller, struct rpc_call *call,
                                 const Besom__V1__AcquireRunRequest *request, struct err *err)
{
    TRY(request_check_id("sweep", request->sweep_id, err));
    TRY(agent_id_check(request->agent_id, err));
    if (request->slot < 0 || request->slot >= AGENT_SLOTS_MAX || request->counter < 0)
        return err_set(err, STATUS_INVALID, "slot must be 0 to %d and counter at least 0",
                       AGENT_SLOTS_MAX - 1);
    return request_allow(controller, rpc_call_identity(call), request->sweep_id, err);
}

static int64_t park_deadline(struct rpc_call *call, int64_t wait_ms)
{
    int64_t left_ms = rpc_call_remaining_ms(call);
    int64_t allowed_ms = wait_ms < 0 ? 0 : wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms;
    /* a WAIT that arrives beats a deadline error */
    if (left_ms != INT64_MAX && allowed_ms > left_ms - left_ms / 10)
        allowed_ms = left_ms - left_ms / 10;
    return clock_monotonic_ms(&clock_system) + allowed_ms;
}

/* What the cancellation of a call finds; in the call's arena. */
struct acquiring {
    struct claims *claims;
    bool gone; /* table's lock */
};

static void cancelled(void *context, struct rpc_call *call)
{
    struct acquiring *acquiring = context;
    struct claim_waiter *waiter = claim_table_remove(acquiring->claims->table, call, &acquiring->gone);
    if (waiter == NULL)
        return;
    struct err err = ERR_INIT;
    err_set(&err, STATUS_CANCELLED, "the caller gave up");
    rpc_call_fail(call, &err);
    free(waiter);
}

static enum status park(struct claims *claims, struct rpc_call *call,
                        const Besom__V1__AcquireRunRequest *request, struct claim_waiter **replaced,
                        struct err *err)
{
    struct acquiring *acquiring = arena_calloc(rpc_call_arena(call), 1, sizeof *acquiring);
    if (acquiring == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    const struct claim_caller caller = {.sweep_id = request->sweep_id,
                                        .agent_id = request->agent_id,
                                        .slot = request->slot,
                                        .counter = request->counter,
                                        .call = call,
                                        .gone = &acquiring->gone,
                                        .deadline_ms = park_deadline(call, request->wait_ms)};
    acquiring->claims = claims;
    rpc_call_on_cancel(call, cancelled, acquiring);
    return claim_table_park(claims->table, &caller, replaced, err);
}

void claims_serve_acquire(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    struct controller *controller = service;
    const Besom__V1__AcquireRunRequest *request = (const void *)message;
    struct claim_waiter *replaced = NULL;
    struct err err = ERR_INIT;
    enum status status = check_acquire(controller, call, request, &err);
    if (status == STATUS_OK)
        status = park(controller->claims, call, request, &replaced, &err);
    if (status != STATUS_OK)
        request_fail(call, &err);
    if (replaced != NULL) {
        claim_answer_wait(replaced->call, "a newer call with the same key took over");
        free(replaced);
    }
}
