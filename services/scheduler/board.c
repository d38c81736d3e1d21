// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/board.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/buffer.h"
#include "services/scheduler/cohorts.h"
#include "services/scheduler/explain.h"
#include "stop/resource.h"

struct run {
    char id[STOP_RUN_KEY_MAX + 1];
    bool running, paused, finished;
    int64_t ordinal; /* in order of arrival */
    size_t reached;  /* bands */
    struct stop_value values[STOP_BANDS_MAX];
    double best; /* of the whole history */
    UT_hash_handle hh;
};

struct board {
    struct stop_config config;
    bool maximize;
    char *metric;      /* owned */
    char *step_metric; /* owned; NULL: bands count rows */
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    struct run *runs; /* owned; uthash, in order of arrival */
    bool closed;      /* no more runs come */
};

/* Copies the names. */
static enum status name_metrics(struct board *board, const struct board_metrics *metrics, struct err *err)
{
    board->maximize = metrics->maximize;
    board->metric = strdup(metrics->metric);
    board->step_metric = metrics->step_metric != NULL ? strdup(metrics->step_metric) : NULL;
    if (board->metric == NULL || (board->step_metric == NULL) != (metrics->step_metric == NULL))
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

enum status board_new(const struct stop_config *config, const struct board_metrics *metrics,
                      struct board **out, struct err *err)
{
    *out = NULL;
    struct board *board = calloc(1, sizeof *board);
    if (board == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    board->config = *config;
    enum status status = name_metrics(board, metrics, err);
    if (status == STATUS_OK)
        status = stop_bands(config, board->bands, &board->band_count, err);
    if (status != STATUS_OK) {
        board_free(board);
        return status;
    }
    *out = board;
    return STATUS_OK;
}

void board_free(struct board *board)
{
    if (board == NULL)
        return;
    struct run *run;
    struct run *next;
    HASH_ITER(hh, board->runs, run, next)
    {
        HASH_DEL(board->runs, run);
        free(run);
    }
    free(board->metric);
    free(board->step_metric);
    free(board);
}

size_t board_band_count(const struct board *board)
{
    return board->band_count;
}

int64_t board_band(const struct board *board, size_t index)
{
    return board->bands[index];
}

/* ---- runs ---- */

static enum status find_or_add(struct board *board, const char *id, struct run **out, struct err *err)
{
    HASH_FIND_STR(board->runs, id, *out);
    if (*out != NULL)
        return STATUS_OK;
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    memcpy(run->id, id, strlen(id));
    run->ordinal = (int64_t)HASH_COUNT(board->runs);
    HASH_ADD_STR(board->runs, id, run);
    *out = run;
    return STATUS_OK;
}

static bool is_finite(const json_t *cell)
{
    return json_is_number(cell) && isfinite(json_number_value(cell));
}

/* The resource after a row: what is no finite number reaches nothing. */
static double resource_after(const struct board *board, const json_t *row, double before)
{
    const json_t *cell = json_object_get(row, board->step_metric);
    if (cell == NULL)
        return before;
    return is_finite(cell) ? json_number_value(cell) : STOP_RESOURCE_NONE;
}

static void read_history(const struct board *board, const json_t *history, struct run *run)
{
    int64_t row_number = 0;
    double total = 0, resource = STOP_RESOURCE_NONE;
    run->reached = 0;
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *row = json_array_get(history, i), *cell = json_object_get(row, board->metric);
        if (board->step_metric != NULL)
            resource = resource_after(board, row, resource);
        if (!is_finite(cell))
            continue;
        double value = json_number_value(cell);
        row_number++;
        total += value;
        if (row_number == 1 || (board->maximize ? value > run->best : value < run->best))
            run->best = value;
        size_t reached = stop_bands_reached(board->bands, board->band_count, run->reached,
                                            board->step_metric != NULL ? resource : (double)row_number);
        /* A sum beyond the greatest double has no mean; the best stands in for it. */
        double mean = isfinite(total) ? total / (double)row_number : run->best;
        while (run->reached < reached)
            run->values[run->reached++] = (struct stop_value){value, run->best, mean};
    }
}

enum status board_set_run(struct board *board, const char *id, const char *state, const json_t *history,
                          struct err *err)
{
    struct run *run = NULL;
    if (id[0] == '\0' || strlen(id) > STOP_RUN_KEY_MAX)
        return err_set(err, STATUS_INVALID, "a run's id has 1 to %d bytes", STOP_RUN_KEY_MAX);
    if (!json_is_array(history))
        return err_set(err, STATUS_INVALID, "history must be a list of rows");
    TRY(find_or_add(board, id, &run, err));
    run->running = strcmp(state, "running") == 0;
    run->paused = strcmp(state, "paused") == 0;
    run->finished = strcmp(state, "finished") == 0;
    read_history(board, history, run);
    return STATUS_OK;
}

/* ---- deciding ---- */

static enum status store_all(const struct board *board, struct stop_rule *rule, struct err *err)
{
    bool stale = false;
    for (const struct run *run = board->runs; run != NULL; run = run->hh.next)
        for (size_t band = 0; band < run->reached; band++)
            TRY(stop_rule_store(rule, run->id, 1, band, &run->values[band], &stale, err));
    return STATUS_OK;
}

static enum status tell(const struct board *board, const char *id, const struct stop_decision *decision,
                        json_t *stop, json_t *why, struct err *err)
{
    struct buffer reason CLEANUP(buffer_free) = BUFFER_INIT;
    explain_decision(decision, &board->config, &reason);
    json_t *rivals = explain_rivals(decision);
    json_t *text = json_pack("{s:I, s:f, s:f, s:I, s:I, s:o?, s:s}", "band", (json_int_t)decision->band,
                             "value", decision->value, "threshold", decision->threshold, "threshold_rank",
                             (json_int_t)decision->rank_index + 1, "runs_at_band",
                             (json_int_t)decision->count, "rivals", rivals, "reason", buffer_text(&reason));
    if (text == NULL || json_object_set_new(why, id, text) != 0 ||
        json_array_append_new(stop, json_string(id)) != 0)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

enum status board_decide(const struct board *board, json_t *stop, json_t *why, struct err *err)
{
    struct stop_rule *rule CLEANUP(stop_rule_free_at) = NULL;
    struct stop_decision decision;
    TRY(stop_rule_new(&board->config, board->maximize, &rule, err));
    TRY(store_all(board, rule, err));
    for (const struct run *run = board->runs; run != NULL; run = run->hh.next) {
        if (!run->running || run->reached == 0)
            continue;
        TRY(stop_rule_judge(rule, run->id, run->reached - 1, run->best, &decision, err));
        if (decision.stop)
            TRY(tell(board, run->id, &decision, stop, why, err));
    }
    return STATUS_OK;
}

/* ---- where runs pause ---- */

bool board_pauses(const struct board *board)
{
    return stop_type_pauses(board->config.type);
}

void board_close(struct board *board)
{
    board->closed = true;
}

/* What came out for a run. */
struct standing {
    bool out;
    size_t judged;                  /* bands with a verdict that let it go on, or one more than the last */
    struct halving_decision newest; /* about its last value */
    struct halving_verdict verdict; /* the last one */
    bool has_verdict;
};

static void take_verdicts(const struct halving *halving, struct standing *standings)
{
    size_t count;
    const struct halving_verdict *verdicts = halving_verdicts(halving, &count);
    for (size_t i = 0; i < count; i++) {
        struct standing *standing = &standings[verdicts[i].ordinal];
        standing->out = !verdicts[i].promoted;
        standing->judged = verdicts[i].band_index + 1;
        standing->verdict = verdicts[i];
        standing->has_verdict = true;
    }
}

static enum status feed_cohorts(const struct board *board, struct halving *halving,
                                struct standing *standings, struct err *err)
{
    for (const struct run *run = board->runs; run != NULL; run = run->hh.next)
        for (size_t band = 0; band < run->reached; band++) {
            TRY(halving_observe(halving, run->ordinal, run->id, band, run->values[band].value,
                                &standings[run->ordinal].newest, err));
            take_verdicts(halving, standings);
        }
    for (const struct run *run = board->runs; run != NULL; run = run->hh.next) {
        if (run->running || run->paused)
            continue;
        TRY(halving_end(halving, run->ordinal, run->id, run->finished ? run->best : NAN, err));
        take_verdicts(halving, standings);
    }
    if (board->closed)
        TRY(halving_close(halving, (int64_t)HASH_COUNT(board->runs), err));
    take_verdicts(halving, standings);
    return STATUS_OK;
}

static enum status tell_order(const struct board *board, const struct run *run,
                              const struct standing *standing, json_t *list, json_t *why, struct err *err)
{
    struct buffer reason CLEANUP(buffer_free) = BUFFER_INIT;
    const struct halving_verdict *verdict = &standing->verdict;
    bool waits = !standing->out && standing->judged < run->reached;
    json_t *text;
    if (waits) {
        cohorts_explain(&standing->newest, &board->config, run->values[run->reached - 1].value, &reason);
        text = json_pack("{s:I, s:I, s:f, s:s}", "band", (json_int_t)standing->newest.band, "bracket",
                         (json_int_t)standing->newest.s, "value", run->values[run->reached - 1].value,
                         "reason", buffer_text(&reason));
    } else {
        cohorts_explain_verdict(verdict, &board->config, &reason);
        text = json_pack("{s:I, s:I, s:I, s:I, s:s}", "band", (json_int_t)verdict->band, "bracket",
                         (json_int_t)verdict->s, "rank", (json_int_t)verdict->rank, "planned",
                         (json_int_t)verdict->planned, "reason", buffer_text(&reason));
    }
    if (text == NULL || json_object_set_new(why, run->id, text) != 0 ||
        json_array_append_new(list, json_string(run->id)) != 0)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

static json_t *order_for(const struct run *run, const struct standing *standing,
                         const struct board_orders *orders)
{
    if (!run->running && !run->paused)
        return NULL;
    if (standing->out)
        return orders->stop;
    if (run->reached == 0 || standing->newest.answer == HALVING_NO_RUNG)
        return NULL;
    if (standing->judged >= run->reached)
        return run->paused ? orders->resume : NULL;
    return run->running ? orders->pause : NULL;
}

enum status board_decide_cohorts(const struct board *board, const struct board_orders *orders,
                                 struct err *err)
{
    struct halving *halving CLEANUP(halving_free_at) = NULL;
    struct standing *standings = calloc(HASH_COUNT(board->runs) + 1, sizeof *standings);
    if (standings == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    enum status status = halving_new(&board->config, board->maximize, &halving, err);
    if (status == STATUS_OK)
        status = feed_cohorts(board, halving, standings, err);
    for (const struct run *run = board->runs; run != NULL && status == STATUS_OK; run = run->hh.next) {
        json_t *list = order_for(run, &standings[run->ordinal], orders);
        if (list != NULL)
            status = tell_order(board, run, &standings[run->ordinal], list, orders->why, err);
    }
    free(standings);
    return status;
}
