// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/reaper.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "db/store/runs.h"
#include "db/store/sweeps.h"
#include "services/common/ticker.h"
#include "services/controller/finish.h"
#include "services/controller/metrics.h"
#include "services/controller/single_runs.h"
#include "services/controller/stops.h"
#include "services/controller/wake.h"

#define INTERVAL_MS 1000
#define IDLE_PAUSE_MS 50
#define EXPIRED_MAX 1000

struct reaper {
    struct controller *controller;
    struct ticker *silence; /* owned */
    struct ticker *idle;    /* owned */
    int64_t seen_us,
        since_us;       /* silence's thread, database's clock: last look, and the first without a gap */
    atomic_bool missed; /* signs of life were lost since the last look */
};

struct silence {
    int64_t uptime_ms, now_us;
    struct store_expired *expired;
    size_t count;
};

/* One silent attempt. */
struct reaping {
    const struct store_expired *expired;
    const struct facts *facts;
    int64_t after_ms;
    struct end_verdict end;
    struct store_finish_result result;
    bool lost, released;
};

static enum status list_silent(struct store_tx *tx, void *context, struct err *err)
{
    struct silence *silence = context;
    TRY(store_get_uptime(tx, &silence->uptime_ms, &silence->now_us, err));
    return store_list_expired(tx, 0, EXPIRED_MAX, &silence->expired, &silence->count, err);
}

static enum status read_directive(struct store_tx *tx, const struct store_expired *expired, const char **kind,
                                  struct err *err)
{
    struct store_end_facts facts = {.directive_kind = ""};
    TRY(store_get_end_facts(tx, expired->sweep_id, expired->run_id, expired->attempt, &facts, err));
    *kind = facts.directive_kind;
    return STATUS_OK;
}

/* Back to the queue, unless it was ordered to end before it had begun. */
static enum status release_unstarted(struct store_tx *tx, void *context, struct err *err)
{
    struct reaping *reaping = context;
    const struct store_expired *expired = reaping->expired;
    const char *directive = "";
    bool killed = false;
    TRY(read_directive(tx, expired, &directive, err));
    TRY(store_release_unstarted(tx, expired->sweep_id, expired->run_id, expired->attempt, reaping->after_ms,
                                &reaping->released, err));
    if (!reaping->released)
        return STATUS_OK;
    if (directive[0] != '\0' && strcmp(directive, "pause") != 0)
        TRY(store_kill_pending_run(tx, expired->sweep_id, expired->run_id, &killed, err));
    return store_add_event(tx, expired->sweep_id, killed ? "run_ended" : "run_released", "reaper",
                           expired->run_id, "never started", err);
}

static enum status lose_run(struct store_tx *tx, void *context, struct err *err)
{
    struct reaping *reaping = context;
    const struct store_expired *expired = reaping->expired;
    struct end_facts lost = {.end_class = BESOM__V1__END_CLASS__END_CLASS_LOST, .directive = ""};
    TRY(read_directive(tx, expired, &lost.directive, err));
    TRY(end_class_judge(&lost, &reaping->end, err));
    struct store_finish item = {.sweep_id = expired->sweep_id,
                                .run_id = expired->run_id,
                                .agent_id = expired->agent_id,
                                .attempt = expired->attempt,
                                .error_text = ""};
    finish_apply(reaping->facts, &reaping->end, &item);
    TRY(store_lose_run(tx, &item, reaping->after_ms, &reaping->result, err));
    reaping->released = reaping->result.verdict == STORE_FINISH_DONE;
    return finish_add_event(tx, &item, &reaping->result, "reaper", "", err);
}

static enum status reap(struct reaper *reaper, struct reaping *reaping, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    bool started = strcmp(reaping->expired->state, "assigned") != 0;
    bool is_lost = started || single_runs_is_method(reaping->facts->method); /* nobody else could take it */
    reaping->lost = is_lost;
    return store_transaction(reaper->controller->store, &arena, is_lost ? lose_run : release_unstarted,
                             reaping, err);
}

/* `up_ms`: for how long silence has meant something. */
static void reap_when_due(struct reaper *reaper, const struct store_expired *expired, int64_t up_ms)
{
    struct reaping reaping = {.expired = expired, .after_ms = reaper->controller->options->lost_after_ms};
    struct err err = ERR_INIT;
    enum status status = facts_get(reaper->controller->facts, expired->sweep_id, 0, &reaping.facts, &err);
    if (status == STATUS_OK && reaping.facts->spec->lost_after_ms >= 0)
        reaping.after_ms = reaping.facts->spec->lost_after_ms;
    if (status == STATUS_OK && expired->silent_ms >= reaping.after_ms && up_ms >= reaping.after_ms)
        status = reap(reaper, &reaping, &err);
    facts_release(reaping.facts);
    if (status != STATUS_OK) {
        log_warn(CONTROLLER_LOG, "silent_run_not_ended", LOG_TEXT("sweep", expired->sweep_id),
                 LOG_TEXT("run", expired->run_id), LOG_ERR(&err));
        return;
    }
    if (!reaping.released)
        return;
    controller_count(CONTROLLER_LEASES_LOST, reaping.lost ? LOST_METRIC_LOST : LOST_METRIC_RELEASED);
    if (reaping.lost)
        controller_count_end(run_state_name(reaping.result.requeued ? RUN_PENDING : reaping.end.state),
                             reaping.result.requeued);
    log_info(CONTROLLER_LOG, "silent_run_ended", LOG_TEXT("sweep", expired->sweep_id),
             LOG_TEXT("run", expired->run_id), LOG_INT("attempt", expired->attempt),
             LOG_TEXT("agent", expired->agent_id), LOG_TEXT("state", expired->state),
             LOG_INT("silent_ms", expired->silent_ms));
    wake_sweep(reaper->controller, expired->sweep_id);
    if (reaper->controller->stops != NULL)
        stops_look(reaper->controller->stops);
    reaper_look_for_idle(reaper);
}

/*
 * For how long agents could renew their leases. A gap between two looks (an outage, a paused process, a
 * machine that slept) begins it anew when it is long enough to end a lease by itself.
 */
static int64_t watched_ms(struct reaper *reaper, int64_t now_us)
{
    int64_t gap_us = now_us - reaper->seen_us;
    int64_t most_us = (reaper->controller->options->lease_ms + 2 * INTERVAL_MS) * 1000;
    bool missed = atomic_exchange(&reaper->missed, false);
    if (reaper->seen_us == 0 || missed || gap_us < 0 || gap_us > most_us)
        reaper->since_us = now_us;
    reaper->seen_us = now_us;
    return (now_us - reaper->since_us) / 1000;
}

static void look_for_silence(void *context)
{
    struct reaper *reaper = context;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct silence silence = {.count = 0};
    struct err err = ERR_INIT;
    if (store_read(reaper->controller->store, &arena, list_silent, &silence, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "silence_not_read", LOG_ERR(&err));
        return;
    }
    metric_set(&controller_metrics[CONTROLLER_SILENT_RUNS], 0, (int64_t)silence.count);
    int64_t up_ms = watched_ms(reaper, silence.now_us);
    up_ms = silence.uptime_ms < up_ms ? silence.uptime_ms : up_ms;
    for (size_t i = 0; i < silence.count; i++)
        reap_when_due(reaper, &silence.expired[i], up_ms);
}

/* ---- idle sweeps ---- */

struct idle {
    const char **sweep_ids;
    size_t count;
};

static enum status finish_idle(struct store_tx *tx, void *context, struct err *err)
{
    struct idle *idle = context;
    TRY(store_finish_idle_sweeps(tx, &idle->sweep_ids, &idle->count, err));
    for (size_t i = 0; i < idle->count; i++)
        TRY(store_add_event(tx, idle->sweep_ids[i], "sweep_finished", "controller", "",
                            "nothing is left to do", err));
    return STATUS_OK;
}

static void look_for_idle(void *context)
{
    struct reaper *reaper = context;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct idle idle = {.count = 0};
    struct err err = ERR_INIT;
    if (store_transaction(reaper->controller->store, &arena, finish_idle, &idle, &err) != STATUS_OK)
        log_debug(CONTROLLER_LOG, "idle_sweeps_not_read", LOG_ERR(&err));
    for (size_t i = 0; i < idle.count && err.code == STATUS_OK; i++) {
        log_info(CONTROLLER_LOG, "sweep_finished", LOG_TEXT("sweep", idle.sweep_ids[i]));
        wake_sweep(reaper->controller, idle.sweep_ids[i]);
    }
    /* runs may end thousands of times a second: look at most twenty times */
    const struct timespec pause = {.tv_nsec = IDLE_PAUSE_MS * 1000000};
    (void)nanosleep(&pause, NULL);
}

enum status reaper_start(struct controller *controller, struct reaper **out, struct err *err)
{
    struct reaper *reaper = calloc(1, sizeof *reaper);
    *out = NULL;
    if (reaper == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    reaper->controller = controller;
    enum status status = ticker_start("idle-sweeps", INTERVAL_MS, look_for_idle, reaper, &reaper->idle, err);
    if (status == STATUS_OK)
        status = ticker_start("reaper", INTERVAL_MS, look_for_silence, reaper, &reaper->silence, err);
    if (status != STATUS_OK) {
        reaper_stop(reaper);
        return status;
    }
    *out = reaper;
    return STATUS_OK;
}

void reaper_stop(struct reaper *reaper)
{
    if (reaper == NULL)
        return;
    ticker_stop(reaper->silence);
    ticker_stop(reaper->idle);
    free(reaper);
}

void reaper_look_for_idle(struct reaper *reaper)
{
    ticker_wake(reaper->idle);
}

void reaper_note_outage(struct reaper *reaper)
{
    atomic_store(&reaper->missed, true);
}
