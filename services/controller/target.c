// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/target.h"

#include <stdio.h>

#include "db/store/sweeps.h"
#include "services/controller/sweep_state.h"

bool target_is_reached(const struct spec_metric *metric, double best)
{
    bool maximize = metric->goal == SPEC_GOAL_MAXIMIZE;
    return metric->has_target && (maximize ? best >= metric->target : best <= metric->target);
}

enum status target_finish_sweep(struct store_tx *tx, const char *sweep_id, const char *run_id, bool *finished,
                                struct err *err)
{
    struct store_sweep sweep;
    enum sweep_state state;
    char reason[64];
    *finished = false;
    TRY(store_get_sweep(tx, sweep_id, true, &sweep, err));
    if (!sweep_state_from_name(sweep.state, &state) || sweep_state_is_ended(state))
        return STATUS_OK;
    (void)snprintf(reason, sizeof reason, "run %s reached the target", run_id);
    TRY(store_set_sweep_state(tx, sweep_id, sweep_state_name(SWEEP_FINISHED), reason, err));
    TRY(store_add_event(tx, sweep_id, "sweep_finished", "controller", run_id, reason, err));
    *finished = true;
    return STATUS_OK;
}
