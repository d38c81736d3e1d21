// SPDX-License-Identifier: GPL-3.0-or-later
/* What a token may do that is bound to another project, to the sweep, or to its project. */
#include <string.h>

#include "controller_fixture.h"

static struct served served;

struct ends {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed; /* lock */
    besom_status code;
};

static void note_close(void *context, const besom_error *error)
{
    struct ends *ends = context;
    pthread_mutex_lock(&ends->lock);
    ends->closed = true;
    ends->code = error->code;
    pthread_cond_broadcast(&ends->changed);
    pthread_mutex_unlock(&ends->lock);
}

static void ignore_message(void *context, const void *message)
{
    (void)context;
    (void)message;
}

static besom_status read_metrics(void)
{
    static const besom_stream_handler handler = {.on_message = ignore_message, .on_close = note_close};
    struct ends ends = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    besom_stream *stream;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    request.run_id = (char *)(uintptr_t) "run00000";
    assert_int_equal(besom_run_metrics(served.client, &request, &handler, &ends, &stream, &error), BESOM_OK);
    pthread_mutex_lock(&ends.lock);
    while (!ends.closed)
        pthread_cond_wait(&ends.changed, &ends.lock);
    pthread_mutex_unlock(&ends.lock);
    besom_stream_free(stream);
    return ends.code;
}

static besom_status edit_runs(void)
{
    Besom__V1__EditRunsRequest request = BESOM__V1__EDIT_RUNS_REQUEST__INIT;
    Besom__V1__EditRunsResponse *response;
    char *ids[] = {(char *)(uintptr_t) "run00000"};
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    request.run_ids = ids;
    request.n_run_ids = 1;
    besom_status status = besom_runs_edit(served.client, &request, &response, &error);
    if (status == BESOM_OK)
        besom_message_free(response);
    return status;
}

static besom_status submit_run(void)
{
    Besom__V1__SubmitRunRequest request = BESOM__V1__SUBMIT_RUN_REQUEST__INIT;
    Besom__V1__SubmitRunResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    request.agent_id = (char *)(uintptr_t)AGENT;
    request.params_json = (char *)(uintptr_t) "{}";
    besom_status status = besom_run_submit(served.client, &request, &response, &error);
    if (status == BESOM_OK)
        besom_message_free(response);
    return status;
}

static besom_status open_project(const char *project)
{
    Besom__V1__OpenProjectRequest request = BESOM__V1__OPEN_PROJECT_REQUEST__INIT;
    Besom__V1__OpenProjectResponse *response;
    besom_error error;
    request.project = (char *)(uintptr_t)project;
    besom_status status = besom_project_open(served.client, &request, &response, &error);
    if (status == BESOM_OK)
        besom_message_free(response);
    return status;
}

static size_t list_sweeps(const char *project)
{
    Besom__V1__ListSweepsRequest request = BESOM__V1__LIST_SWEEPS_REQUEST__INIT;
    Besom__V1__ListSweepsResponse *response;
    besom_error error;
    request.project = (char *)(uintptr_t)project;
    assert_int_equal(besom_sweep_list(served.client, &request, &response, &error), BESOM_OK);
    size_t count = response->n_sweeps;
    besom_message_free(response);
    return count;
}

static size_t list_agents(void)
{
    Besom__V1__ListAgentsRequest request = BESOM__V1__LIST_AGENTS_REQUEST__INIT;
    Besom__V1__ListAgentsResponse *response;
    besom_error error;
    assert_int_equal(besom_agent_list(served.client, &request, &response, &error), BESOM_OK);
    size_t count = response->n_agents;
    besom_message_free(response);
    return count;
}

static besom_status get_bare_run(void)
{
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetRunResponse *response;
    besom_error error;
    request.run_id = (char *)(uintptr_t) "run00000";
    besom_status status = besom_run_get(served.client, &request, &response, &error);
    if (status == BESOM_OK)
        besom_message_free(response);
    return status;
}

/* Calls about a sweep that the suggestion service would answer. */
#define LOOK(name, Name, NAME, call)                                            \
    static besom_status name(void)                                              \
    {                                                                           \
        Besom__V1__##Name##Request request = BESOM__V1__##NAME##_REQUEST__INIT; \
        Besom__V1__##Name##Response *response;                                  \
        besom_error error;                                                      \
        request.sweep_id = (char *)(uintptr_t)SWEEP;                            \
        besom_status status = call(served.client, &request, &response, &error); \
        besom_message_free(response);                                           \
        return status;                                                          \
    }
LOOK(get_importance, GetImportance, GET_IMPORTANCE, besom_importance_get)
LOOK(predict, Predict, PREDICT, besom_predict)
LOOK(get_recommendation, GetRecommendation, GET_RECOMMENDATION, besom_recommendation_get)

static void begin(struct database *database, const char *project, const char *sweep)
{
    served_start(&served, database, 1, (struct controller_options){0});
    atomic_store(&served_project, project);
    atomic_store(&served_sweep, sweep);
}

static void end(void)
{
    served_stop(&served);
    atomic_store(&served_project, "");
    atomic_store(&served_sweep, "");
}

static void others_may_do_nothing(void **state)
{
    begin(*state, "elsewhere", "");
    assert_int_equal(read_metrics(), BESOM_NOT_FOUND);
    assert_int_equal(edit_runs(), BESOM_NOT_FOUND);
    assert_int_equal(submit_run(), BESOM_NOT_FOUND);
    assert_int_equal(open_project(""), BESOM_NOT_FOUND);
    assert_int_equal(open_project("mine"), BESOM_NOT_FOUND);
    assert_int_equal(list_sweeps(""), 0);
    assert_int_equal(list_agents(), 0);
    assert_int_equal(get_bare_run(), BESOM_NOT_FOUND);
    assert_int_equal(get_importance(), BESOM_NOT_FOUND);
    assert_int_equal(predict(), BESOM_NOT_FOUND);
    assert_int_equal(get_recommendation(), BESOM_NOT_FOUND);
    end();
}

/* A sweep that hands out its own runs takes none. */
static void those_of_the_sweep_may_use_it(void **state)
{
    begin(*state, "", SWEEP);
    assert_int_equal(read_metrics(), BESOM_OK);
    assert_int_equal(edit_runs(), BESOM_OK);
    assert_int_equal(submit_run(), BESOM_PRECONDITION);
    assert_int_equal(open_project("mine"), BESOM_NOT_FOUND);
    assert_int_equal(open_project(SWEEP), BESOM_NOT_FOUND);
    assert_int_equal(list_sweeps("mine"), 0);
    assert_int_equal(list_sweeps(""), 1);
    assert_int_equal(get_bare_run(), BESOM_OK);
    end();
}

static void those_of_a_project_may_open_it(void **state)
{
    begin(*state, "mine", "");
    assert_int_equal(edit_runs(), BESOM_NOT_FOUND);
    assert_int_equal(open_project("mine"), BESOM_OK);
    assert_int_equal(list_sweeps(""), 1);
    assert_int_equal(list_sweeps("tests"), 0);
    assert_int_equal(open_project(""), BESOM_NOT_FOUND);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(others_may_do_nothing, database_make, database_drop),
        cmocka_unit_test_setup_teardown(those_of_the_sweep_may_use_it, database_make, database_drop),
        cmocka_unit_test_setup_teardown(those_of_a_project_may_open_it, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
