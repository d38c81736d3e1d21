// SPDX-License-Identifier: GPL-3.0-or-later
/* Single runs: nobody but their own agents can run them, so what is lost stays lost, and their sweep never
 * ends. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "controller_fixture.h"

static struct served served;
static const struct controller_options impatient = {.lease_ms = 200, .renew_ms = 100, .lost_after_ms = 500};

static void check_call(besom_status status, const besom_error *error, const char *what)
{
    if (status != BESOM_OK)
        fail_msg("%s: %s", what, error->text);
}

static void open_project(char sweep_id[9])
{
    Besom__V1__OpenProjectRequest request = BESOM__V1__OPEN_PROJECT_REQUEST__INIT;
    Besom__V1__OpenProjectResponse *response;
    besom_error error;
    check_call(besom_project_open(served.client, &request, &response, &error), &error, "OpenProject");
    (void)snprintf(sweep_id, 9, "%s", response->sweep->sweep_id);
    besom_message_free(response);
}

static void register_agent(char *sweep_id)
{
    Besom__V1__RegisterAgentRequest request = BESOM__V1__REGISTER_AGENT_REQUEST__INIT;
    Besom__V1__RegisterAgentResponse *response;
    besom_error error;
    request.agent_id = (char *)(uintptr_t)AGENT;
    request.sweep_id = sweep_id;
    request.slots = 4;
    request.protocol_min = request.protocol_max = 1;
    check_call(besom_agent_register(served.client, &request, &response, &error), &error, "RegisterAgent");
    besom_message_free(response);
}

static void submit_as(char *sweep_id, int64_t counter, char run_id[9])
{
    Besom__V1__SubmitRunRequest request = BESOM__V1__SUBMIT_RUN_REQUEST__INIT;
    Besom__V1__SubmitRunResponse *response;
    besom_error error;
    request.agent_id = (char *)(uintptr_t)AGENT;
    request.sweep_id = sweep_id;
    request.counter = counter;
    request.params_json = (char *)(uintptr_t) "{\"x\":1}";
    check_call(besom_run_submit(served.client, &request, &response, &error), &error, "SubmitRun");
    assert_int_equal(response->verdict_case, BESOM__V1__SUBMIT_RUN_RESPONSE__VERDICT_RUN);
    (void)snprintf(run_id, 9, "%s", response->run->run_id);
    besom_message_free(response);
}

static void submit(char *sweep_id, int64_t counter)
{
    char run_id[9];
    submit_as(sweep_id, counter, run_id);
}

static void what_is_lost_stays_lost(void **state)
{
    struct database *database = *state;
    char sweep_id[9];
    served_start(&served, database, 0, impatient);
    open_project(sweep_id);
    register_agent(sweep_id);
    submit(sweep_id, 1);
    database_execute(database->url, "UPDATE besom.runs SET state = 'running', started_at = now();"
                                    "UPDATE besom.run_attempts SET started_at = now()");
    submit(sweep_id, 2); /* never started */
    await_number(database, "SELECT count(*) FROM besom.runs WHERE state = 'crashed' AND end_reason = 'lost'",
                 2);
    assert_int_equal(database_number(database->url, "SELECT max(result_number) FROM besom.runs"), 2);
    served_stop(&served);
}

static void their_sweep_never_ends(void **state)
{
    struct database *database = *state;
    struct store_refill_need *needs;
    const char **ended;
    char sweep_id[9];
    size_t count;
    served_start(&served, database, 0, (struct controller_options){0});
    /* The fixture's own has nothing left: once it has ended, idle sweeps were looked at. */
    await_number(database, "SELECT count(*) FROM besom.sweeps WHERE state = 'finished'", 1);
    open_project(sweep_id);
    served_stop(&served);
    struct session *session = session_open(database);
    assert_ok(store_finish_idle_sweeps(session_tx(session), &ended, &count, &test_err));
    assert_int_equal(count, 0);
    assert_ok(store_list_refill_needs(session_tx(session), 16, &needs, &count, &test_err));
    assert_int_equal(count, 0);
    session_close(session);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.sweeps WHERE state = 'running'"), 1);
}

#define CALLERS 8

struct caller {
    pthread_t thread;
    char sweep_id[9], run_id[9];
};

static void *open_and_submit(void *context)
{
    struct caller *caller = context;
    open_project(caller->sweep_id);
    register_agent(caller->sweep_id);
    submit_as(caller->sweep_id, 1, caller->run_id);
    return NULL;
}

/* One sweep for the project, one run for the key. */
static void callers_at_once_get_the_same(void **state)
{
    struct database *database = *state;
    struct caller callers[CALLERS];
    served_start(&served, database, 0, (struct controller_options){0});
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i].thread, NULL, open_and_submit, &callers[i]), 0);
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    for (size_t i = 1; i < CALLERS; i++) {
        assert_string_equal(callers[i].sweep_id, callers[0].sweep_id);
        assert_string_equal(callers[i].run_id, callers[0].run_id);
    }
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.sweeps WHERE method = 'none'"), 1);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.runs"), 1);
    assert_int_equal(
        database_number(database->url, "SELECT next_ordinal FROM besom.sweeps WHERE method = 'none'"), 1);
    served_stop(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_lost_stays_lost, database_make, database_drop),
        cmocka_unit_test_setup_teardown(callers_at_once_get_the_same, database_make, database_drop),
        cmocka_unit_test_setup_teardown(their_sweep_never_ends, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
