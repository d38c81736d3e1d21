// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/stdio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "services/common/json_lines.h"
#include "services/suggestion/study.h"

struct session {
    struct study *study; /* owned; NULL before init */
};

static enum status parse_spec(const json_t *config, struct spec **out, struct err *err)
{
    const struct spec_options options = {.methods = study_method_bits()};
    struct spec_problems problems CLEANUP(spec_problems_free);
    spec_problems_init(&problems);
    if (!json_is_object(config))
        return err_set(err, STATUS_INVALID, "init: sweep_config must be an object");
    char *text = space_config_text(config);
    if (text == NULL)
        return err_set(err, STATUS_NO_MEMORY, "init: out of memory");
    enum status status = spec_parse(text, strlen(text), "sweep_config", &options, out, &problems, err);
    free(text);
    return status;
}

static enum status read_seed(const json_t *request, const struct spec *spec, uint64_t *out, struct err *err)
{
    const json_t *seed = json_object_get(request, "seed");
    if (seed != NULL && !json_is_integer(seed) && !json_is_null(seed))
        return err_set(err, STATUS_INVALID, "init: seed must be a whole number");
    if (json_is_integer(seed))
        *out = (uint64_t)json_integer_value(seed);
    else
        *out = spec->has_seed ? spec->seed : random_u64(&random_system) >> 1;
    return STATUS_OK;
}

static enum status run_init(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    struct spec *spec = NULL;
    struct study *study = NULL;
    uint64_t seed = 0;
    TRY(parse_spec(json_object_get(request, "sweep_config"), &spec, err));
    enum status status = read_seed(request, spec, &seed, err);
    if (status != STATUS_OK) {
        spec_free(spec);
        return status;
    }
    TRY(study_new(spec, seed, &study, err));
    study_free(session->study);
    session->study = study;
    return json_lines_set(answer, "ok", json_true(), err);
}

static enum status need_study(const struct session *session, struct err *err)
{
    return session->study != NULL
               ? STATUS_OK
               : err_set(err, STATUS_PRECONDITION, "there is no study yet (send init first)");
}

static enum status run_ask(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    struct suggest_batch batch CLEANUP(suggest_batch_free) = {0};
    int64_t id = 0;
    (void)request;
    TRY(need_study(session, err));
    TRY(study_ask(session->study, &batch, &id, err));
    if (batch.count == 0)
        return json_lines_set(answer, "done", json_true(), err);
    TRY(json_lines_set(answer, "id", json_integer(id), err));
    TRY(json_lines_set(answer, "params", json_incref(batch.items[0].params), err));
    return json_lines_set(answer, "why", json_incref(batch.items[0].why), err);
}

/* ---- what became of a run ---- */

static enum status read_outcome(const json_t *request, bool must_have_ended, struct bayes_outcome *out,
                                struct err *err)
{
    const char *state = json_string_value(json_object_get(request, "state"));
    const json_t *value = json_object_get(request, "value");
    bool known = bayes_outcome_of(state, json_is_number(value) ? json_number_value(value) : NAN, out);
    if (!known || (must_have_ended && !out->ended))
        return err_set(err, STATUS_INVALID, "state must be \"finished\" or \"failed\"%s",
                       must_have_ended ? "" : " or another state of a run");
    if (value != NULL && !json_is_number(value) && !json_is_null(value))
        return err_set(err, STATUS_INVALID, "value must be a number or null");
    return STATUS_OK;
}

static enum status run_tell(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    const json_t *id = json_object_get(request, "id");
    struct bayes_outcome outcome;
    TRY(need_study(session, err));
    if (!json_is_integer(id))
        return err_set(err, STATUS_INVALID, "id must be a whole number");
    TRY(read_outcome(request, true, &outcome, err));
    TRY(study_tell(session->study, json_integer_value(id), &outcome, err));
    return json_lines_set(answer, "ok", json_true(), err);
}

static enum status run_observe(void *context, const json_t *request, json_t *answer, struct err *err)
{
    struct session *session = context;
    const json_t *params = json_object_get(request, "params");
    struct bayes_outcome outcome;
    TRY(need_study(session, err));
    if (!json_is_object(params))
        return err_set(err, STATUS_INVALID, "params must be an object");
    TRY(read_outcome(request, false, &outcome, err));
    TRY(study_observe(session->study, params, &outcome, err));
    return json_lines_set(answer, "ok", json_true(), err);
}

static const struct json_lines_op operations[] = {
    {"init", run_init},
    {"ask", run_ask},
    {"tell", run_tell},
    {"observe", run_observe},
};

enum status suggestion_stdio(FILE *in, FILE *out, struct err *err)
{
    struct session session = {.study = NULL};
    enum status status = json_lines_serve(in, out, operations, ARRAY_LEN(operations), &session, err);
    study_free(session.study);
    return status;
}
