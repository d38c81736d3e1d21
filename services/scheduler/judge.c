// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/judge.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "services/scheduler/explain.h"
#include "space/space.h"

static size_t band_of(const struct store_rung_value *value)
{
    return value->band_index < 0 ? SIZE_MAX : (size_t)value->band_index;
}

static struct stop_value value_of(const struct store_rung_value *value)
{
    return (struct stop_value){.value = value->value, .best = value->best, .mean = value->mean};
}

enum status judge_replay(struct stop_rule *rule, const struct store_rung_value *value, struct err *err)
{
    struct stop_decision ignored; /* but for the stops that the rule counts */
    const struct stop_value brought = value_of(value);
    enum status status =
        stop_rule_observe(rule, value->run_id, value->attempt, band_of(value), &brought, &ignored, err);
    return status == STATUS_INVALID ? STATUS_OK : status;
}

struct store_decision judge_go_on(const struct store_rung_value *value, const char *reason)
{
    return (struct store_decision){.sweep_id = value->sweep_id,
                                   .run_id = value->run_id,
                                   .number = value->number,
                                   .attempt = value->attempt,
                                   .band_index = value->band_index,
                                   .band = value->band,
                                   .value = value->value,
                                   .compared = value->value,
                                   .threshold = value->value,
                                   .rivals_json = "[]",
                                   .reason = reason};
}

static enum status go_on(const struct store_rung_value *value, const char *reason, struct arena *arena,
                         struct store_decision *out, struct err *err)
{
    *out = judge_go_on(value, arena_strdup(arena, reason));
    return out->reason != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "deciding: out of memory");
}

static enum status decide_by_rule(const struct stop_decision *decision, const struct stop_config *config,
                                  struct arena *arena, struct store_decision *out, struct err *err)
{
    struct buffer reason CLEANUP(buffer_free) = BUFFER_INIT;
    out->stop = decision->stop;
    out->compared = decision->value;
    out->threshold = decision->threshold;
    out->reached = (int64_t)decision->count;
    explain_decision(decision, config, &reason);
    json_t *rivals = explain_rivals(decision);
    char *text = rivals == NULL ? NULL : space_config_text(rivals);
    json_decref(rivals);
    out->rivals_json = text == NULL ? NULL : arena_strdup(arena, text);
    free(text);
    out->reason = reason.failed ? NULL : arena_strdup(arena, buffer_text(&reason));
    if (out->rivals_json == NULL || out->reason == NULL)
        return err_set(err, STATUS_NO_MEMORY, "deciding: out of memory");
    return STATUS_OK;
}

enum status judge_value(struct stop_rule *rule, const struct store_rung_value *value, struct arena *arena,
                        struct store_decision *out, struct err *err)
{
    struct stop_decision decision;
    struct err refused = ERR_INIT;
    const struct stop_value brought = value_of(value);
    enum status status =
        stop_rule_observe(rule, value->run_id, value->attempt, band_of(value), &brought, &decision, &refused);
    if (status == STATUS_INVALID)
        return go_on(value, refused.text, arena, out, err);
    if (status != STATUS_OK)
        return err_set(err, status, "%s", refused.text);
    if (decision.stale)
        return go_on(value, "a later attempt of this run was heard of", arena, out, err);
    *out = judge_go_on(value, NULL);
    return decide_by_rule(&decision, stop_rule_config(rule), arena, out, err);
}
