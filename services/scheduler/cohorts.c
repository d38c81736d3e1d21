// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/cohorts.h"

#include <math.h>
#include <string.h>

#include "services/scheduler/explain.h"
#include "services/scheduler/judge.h"

/* ---- words ---- */

static void write_place(int64_t band, int64_t rank, int64_t planned, int64_t keeps, double value,
                        const struct stop_config *config, struct buffer *out)
{
    if (isnan(value)) {
        buffer_printf(out, "it had ended before %s %lld", stop_unit(config), (long long)band);
    } else {
        explain_number(value, out);
        buffer_printf(out, " at %s %lld is number %lld of %lld there", stop_unit(config), (long long)band,
                      (long long)rank, (long long)planned);
    }
    buffer_printf(out, ", and the best %lld %s on", (long long)keeps, keeps == 1 ? "goes" : "go");
}

static void write_threshold(double threshold, bool goes_on, struct buffer *out)
{
    if (isnan(threshold))
        return;
    buffer_puts(out, " (");
    explain_number(threshold, out);
    buffer_puts(out, goes_on ? " does)" : " would do)");
}

void cohorts_explain(const struct halving_decision *decision, const struct stop_config *config, double value,
                     struct buffer *out)
{
    switch (decision->answer) {
    case HALVING_NO_RUNG:
        buffer_printf(out, "its bracket (%lld) has no rung at %s %lld: it goes on", (long long)decision->s,
                      stop_unit(config), (long long)decision->band);
        return;
    case HALVING_WAITS:
        buffer_printf(out, "paused at %s %lld: %lld of the %lld runs of its cohort have come",
                      stop_unit(config), (long long)decision->band, (long long)decision->arrived,
                      (long long)decision->planned);
        return;
    case HALVING_PROMOTED:
    case HALVING_OUT: break;
    }
    if (decision->rank > 0) {
        write_place(decision->band, decision->rank, decision->planned, decision->keeps, value, config, out);
        write_threshold(decision->threshold, decision->answer == HALVING_PROMOTED, out);
    } else {
        buffer_printf(out, "the verdict on its cohort was given before: it %s",
                      decision->answer == HALVING_OUT ? "stops" : "goes on");
    }
}

void cohorts_explain_verdict(const struct halving_verdict *verdict, const struct stop_config *config,
                             struct buffer *out)
{
    write_place(verdict->band, verdict->rank, verdict->planned, halving_keeps(verdict->planned, config->eta),
                verdict->value, config, out);
    write_threshold(verdict->threshold, verdict->promoted, out);
}

/* ---- judging ---- */

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "deciding: out of memory");
}

/* INVALID is for the caller to tell. */
static enum status feed(struct halving *halving, const struct store_rung_value *value,
                        struct halving_decision *decision, struct err *err)
{
    if (strcmp(value->kind, "closed") == 0)
        return halving_close(halving, value->ordinal, err);
    if (strcmp(value->kind, "ended") == 0)
        return halving_end(halving, value->ordinal, value->run_id, value->value, err);
    size_t band = value->band_index < 0 ? SIZE_MAX : (size_t)value->band_index;
    return halving_observe(halving, value->ordinal, value->run_id, band, value->value, decision, err);
}

enum status cohorts_replay(struct halving *halving, const struct store_rung_value *value, struct err *err)
{
    struct halving_decision ignored;
    enum status status = feed(halving, value, &ignored, err);
    return status == STATUS_INVALID ? STATUS_OK : status;
}

static enum status add_verdict(const struct halving_verdict *verdict, const struct stop_config *config,
                               int64_t number, struct arena *arena, struct store_verdict *out,
                               struct err *err)
{
    struct buffer reason CLEANUP(buffer_free) = BUFFER_INIT;
    cohorts_explain_verdict(verdict, config, &reason);
    *out = (struct store_verdict){.run_id = arena_strdup(arena, verdict->run),
                                  .ordinal = verdict->ordinal,
                                  .cohort = verdict->cohort,
                                  .bracket = (int32_t)verdict->s,
                                  .band_index = (int32_t)verdict->band_index,
                                  .band = verdict->band,
                                  .number = number,
                                  .promoted = verdict->promoted,
                                  .rank = verdict->rank,
                                  .planned = verdict->planned,
                                  .value = verdict->value,
                                  .threshold = verdict->threshold,
                                  .reason = reason.failed ? NULL : arena_strdup(arena, buffer_text(&reason))};
    return out->run_id != NULL && out->reason != NULL ? STATUS_OK : no_memory(err);
}

static enum status add_verdicts(const struct halving *halving, int64_t number, struct arena *arena,
                                struct cohorts_outcome *outcome, struct err *err)
{
    size_t count;
    const struct halving_verdict *verdicts = halving_verdicts(halving, &count);
    if (count == 0)
        return STATUS_OK;
    struct store_verdict *all = arena_calloc(arena, outcome->verdict_count + count, sizeof *all);
    if (all == NULL)
        return no_memory(err);
    if (outcome->verdict_count > 0)
        memcpy(all, outcome->verdicts, outcome->verdict_count * sizeof *all);
    outcome->verdicts = all;
    for (size_t i = 0; i < count; i++)
        TRY(add_verdict(&verdicts[i], halving_config(halving), number, arena, &all[outcome->verdict_count++],
                        err));
    return STATUS_OK;
}

static enum status fill_decision(const struct halving *halving, const struct store_rung_value *value,
                                 const struct halving_decision *decision, const char *refused,
                                 struct arena *arena, struct store_decision *out, struct err *err)
{
    struct buffer reason CLEANUP(buffer_free) = BUFFER_INIT;
    if (refused != NULL)
        buffer_puts(&reason, refused);
    else
        cohorts_explain(decision, halving_config(halving), value->value, &reason);
    *out = judge_go_on(value, reason.failed ? NULL : arena_strdup(arena, buffer_text(&reason)));
    if (out->reason == NULL)
        return no_memory(err);
    if (refused != NULL || decision->answer == HALVING_NO_RUNG)
        return STATUS_OK;
    out->stop = decision->answer == HALVING_OUT;
    out->pause = decision->answer == HALVING_WAITS;
    out->cohort = decision->cohort;
    out->bracket = (int32_t)decision->s;
    out->planned = decision->planned;
    if (decision->rank == 0)
        return STATUS_OK;
    out->reached = decision->arrived;
    out->threshold = decision->threshold;
    return STATUS_OK;
}

enum status cohorts_judge(struct halving *halving, const struct store_rung_value *value, struct arena *arena,
                          struct cohorts_outcome *outcome, struct err *err)
{
    struct halving_decision decision;
    struct err refused = ERR_INIT;
    outcome->decided = strcmp(value->kind, "value") == 0;
    enum status status = feed(halving, value, &decision, &refused);
    if (status != STATUS_OK && status != STATUS_INVALID)
        return err_set(err, status, "%s", refused.text);
    if (outcome->decided)
        TRY(fill_decision(halving, value, &decision, status == STATUS_INVALID ? refused.text : NULL, arena,
                          outcome->decision, err));
    return status == STATUS_OK ? add_verdicts(halving, value->number, arena, outcome, err) : STATUS_OK;
}
