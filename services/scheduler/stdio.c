// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/stdio.h"

#include <stdlib.h>
#include <string.h>

#include "services/common/json_lines.h"
#include "services/scheduler/board.h"
#include "spec/spec.h"

struct session {
    struct board *board; /* owned; NULL before init */
};

/* What early stopping reads of a sweep file, beside the least that makes a whole one: a configuration that is
 * wrong elsewhere, or of a search method that is not known here, still has its bands. */
static json_t *reduce_config(const json_t *config)
{
    json_t *metric = json_object_get(config, "metric");
    json_t *rule = json_object_get(config, "early_terminate");
    return json_pack("{s:s, s:s, s:b, s:{s:{s:f, s:f}}, s:O*, s:O*}", "method", "bayes", "program", "program",
                     "resume", true, "parameters", "x", "min", 0.0, "max", 1.0, "metric", metric,
                     "early_terminate", rule);
}

static enum status parse_config(const json_t *config, struct spec **out, struct err *err)
{
    struct spec_problems problems CLEANUP(spec_problems_free);
    spec_problems_init(&problems);
    if (!json_is_object(config))
        return err_set(err, STATUS_INVALID, "init: config must be an object");
    if (json_object_get(config, "early_terminate") == NULL)
        return err_set(err, STATUS_INVALID, "init: config has no early_terminate");
    if (json_object_get(config, "metric") == NULL)
        return err_set(err, STATUS_INVALID, "init: config has no metric");
    json_t *reduced = reduce_config(config);
    char *text = reduced == NULL ? NULL : space_config_text(reduced);
    json_decref(reduced);
    if (text == NULL)
        return err_set(err, STATUS_NO_MEMORY, "init: out of memory");
    enum status status = spec_parse(text, strlen(text), "config", NULL, out, &problems, err);
    free(text);
    return status;
}

static enum status answer_bands(const struct board *board, json_t *answer, struct err *err)
{
    json_t *bands = json_array();
    for (size_t i = 0; i < board_band_count(board); i++)
        if (json_array_append_new(bands, json_integer(board_band(board, i))) != 0) {
            json_decref(bands);
            return err_set(err, STATUS_NO_MEMORY, "init: out of memory");
        }
    TRY(json_lines_set(answer, "bands", bands, err));
    return json_lines_set(answer, "ok", json_true(), err);
}

static enum status run_init(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    struct spec *spec CLEANUP(spec_free_at) = NULL;
    struct board *board = NULL;
    TRY(parse_config(json_object_get(request, "config"), &spec, err));
    if (!spec->has_early_terminate || spec->metric.name == NULL)
        return err_set(err, STATUS_INVALID, "init: config has no metric or no early_terminate");
    const struct board_metrics metrics = {spec->metric.name, spec->metric.goal == SPEC_GOAL_MAXIMIZE,
                                          spec->step_metric};
    TRY(board_new(&spec->early_terminate, &metrics, &board, err));
    board_free(session->board);
    session->board = board;
    return answer_bands(board, answer, err);
}

static enum status need_board(const struct session *session, struct err *err)
{
    return session->board != NULL
               ? STATUS_OK
               : err_set(err, STATUS_PRECONDITION, "there is no config yet (send init first)");
}

static enum status run_run(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    const char *id = json_string_value(json_object_get(request, "id"));
    const char *state = json_string_value(json_object_get(request, "state"));
    TRY(need_board(session, err));
    if (id == NULL || state == NULL)
        return err_set(err, STATUS_INVALID, "run: id and state must be texts");
    TRY(board_set_run(session->board, id, state, json_object_get(request, "history"), err));
    return json_lines_set(answer, "ok", json_true(), err);
}

static enum status decide_cohorts(const struct board *board, json_t *answer, struct err *err)
{
    TRY(json_lines_set(answer, "pause", json_array(), err));
    TRY(json_lines_set(answer, "resume", json_array(), err));
    const struct board_orders orders = {json_object_get(answer, "stop"), json_object_get(answer, "pause"),
                                        json_object_get(answer, "resume"), json_object_get(answer, "why")};
    return board_decide_cohorts(board, &orders, err);
}

static enum status run_close(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    (void)request;
    TRY(need_board(session, err));
    board_close(session->board);
    return json_lines_set(answer, "ok", json_true(), err);
}

static enum status run_decide(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    (void)request;
    TRY(need_board(session, err));
    TRY(json_lines_set(answer, "stop", json_array(), err));
    TRY(json_lines_set(answer, "why", json_object(), err));
    if (board_pauses(session->board))
        return decide_cohorts(session->board, answer, err);
    return board_decide(session->board, json_object_get(answer, "stop"), json_object_get(answer, "why"), err);
}

static const struct json_lines_op operations[] = {
    {"init", run_init},
    {"run", run_run},
    {"close", run_close},
    {"decide", run_decide},
};

enum status scheduler_stdio(FILE *in, FILE *out, struct err *err)
{
    struct session session = {.board = NULL};
    enum status status = json_lines_serve(in, out, operations, ARRAY_LEN(operations), &session, err);
    board_free(session.board);
    return status;
}
