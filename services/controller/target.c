// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/target.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "db/store/sweeps.h"
#include "services/controller/sweep_state.h"
#include "services/controller/wake.h"

bool target_is_reached(const struct facts *facts, double best)
{
    const struct spec_metric *metric = &facts->spec->metric;
    return metric->has_target && (facts->maximize ? best >= metric->target : best <= metric->target);
}

struct reaching {
    const char *sweep_id, *run_id;
    bool changed;
};

static enum status finish_sweep(struct store_tx *tx, void *context, struct err *err)
{
    struct reaching *reaching = context;
    struct store_sweep sweep;
    enum sweep_state state;
    char reason[64];
    reaching->changed = false;
    TRY(store_get_sweep(tx, reaching->sweep_id, true, &sweep, err));
    if (!sweep_state_from_name(sweep.state, &state) || sweep_state_is_ended(state))
        return STATUS_OK;
    (void)snprintf(reason, sizeof reason, "run %s reached the target", reaching->run_id);
    TRY(store_set_sweep_state(tx, reaching->sweep_id, sweep_state_name(SWEEP_FINISHED), reason, err));
    reaching->changed = true;
    return store_add_event(tx, reaching->sweep_id, "sweep_finished", "controller", reaching->run_id, reason,
                           err);
}

bool target_finish_sweep(struct controller *controller, const char *sweep_id, const char *run_id)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct reaching reaching = {.sweep_id = sweep_id, .run_id = run_id};
    struct err err = ERR_INIT;
    if (store_transaction(controller->store, &arena, finish_sweep, &reaching, &err) != STATUS_OK) {
        log_warn(CONTROLLER_LOG, "target_not_applied", LOG_TEXT("sweep", sweep_id), LOG_ERR(&err));
        return false;
    }
    if (reaching.changed) {
        log_info(CONTROLLER_LOG, "target_reached", LOG_TEXT("sweep", sweep_id), LOG_TEXT("run", run_id));
        wake_sweep(controller, sweep_id);
    }
    return true;
}
