// SPDX-License-Identifier: GPL-3.0-or-later
#include "controller_fixture.h"

#include <glob.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/runtime.h"

#define PATIENCE_MS 30000
#define PAUSE_NS 2000000L

static const char spec_text[] =
    "{\"early_terminate\":{\"eta\":3,\"min_iter\":1,\"type\":\"hyperband\"},\"method\":\"random\",\"metric\":"
    "{\"goal\":\"minimize\",\"name\":\"loss\"},\"parameters\":{\"x\":{\"distribution\":\"uniform\",\"max\":"
    "1.0,\"min\":0.0}},\"program\":\"x\"}";

_Atomic(const char *) served_project = "", served_sweep = "";

static enum status check_token(void *context, const char *token, const char *peer_name, unsigned access,
                               struct rpc_identity *identity, struct err *err)
{
    (void)context, (void)token, (void)peer_name, (void)err;
    *identity = (struct rpc_identity){.subject = "test", .access = access};
    (void)snprintf(identity->project, sizeof identity->project, "%s", atomic_load(&served_project));
    (void)snprintf(identity->sweep, sizeof identity->sweep, "%s", atomic_load(&served_sweep));
    return STATUS_OK;
}

static void pause_briefly(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
}

int served_begin_process(void **state)
{
    log_set_level(LOG_LEVEL_OFF);
    rpc_runtime_init();
    return harness_start(state);
}

int served_end_process(void **state)
{
    rpc_runtime_shutdown();
    return harness_stop(state);
}

static void prepare_sweep(struct database *database, int runs)
{
    char sql[1024];
    fixture_sweep(database, (struct sweep_options){.runs = runs, .exhausted = true});
    (void)snprintf(sql, sizeof sql,
                   "UPDATE besom.sweep_specs SET spec = '%s'; UPDATE besom.sweeps SET method = 'random'",
                   spec_text);
    database_execute(database->url, sql);
}

static void fill_options(struct controller_options *options, const char *url)
{
    options->service.database_url = url;
    options->service.insecure = true;
    options->suggestion_address = options->scheduler_address = "unix:/nonexistent/besom";
    options->lease_ms = options->lease_ms != 0 ? options->lease_ms : 60000;
    options->renew_ms = options->renew_ms != 0 ? options->renew_ms : 10000;
    options->lost_after_ms = options->lost_after_ms != 0 ? options->lost_after_ms : 300000;
    options->claim_poll_ms = options->claim_poll_ms != 0 ? options->claim_poll_ms : 500;
    options->log_keep_bytes = 1 << 20;
    options->ingest_memory_bytes =
        options->ingest_memory_bytes != 0 ? options->ingest_memory_bytes : 64 << 20;
    options->ingest_workers = options->ingest_workers != 0 ? options->ingest_workers : 1;
}

static void start_server(struct served *served)
{
    const char *const addresses[] = {served->address};
    const struct rpc_server_options options = {
        .addresses = addresses, .address_count = 1, .workers = WORKERS, .check = check_token};
    assert_ok(rpc_server_new(&options, &served->server, &test_err));
    rpc_server_add(served->server, sweep_service_methods, sweep_service_method_count, &served->controller);
    rpc_server_add(served->server, run_service_methods, run_service_method_count, &served->controller);
    rpc_server_on_drain(served->server, controller_drain, &served->controller);
    assert_ok(rpc_server_start(served->server, &test_err));
    rpc_server_set_health(served->server, "", true);
}

void served_begin_controller(struct served *served)
{
    const struct store_options options = {
        .url = served->database->url, .application_name = "controller", .pool_size = 16, .retry_ms = 1000};
    assert_ok(store_open(&options, &served->store, &test_err));
    served->controller =
        (struct controller){.options = &served->options, .store = served->store, .owner = "test"};
    assert_ok(controller_start(&served->controller, &test_err));
    start_server(served);
}

void served_end_controller(struct served *served)
{
    controller_stop(&served->controller);
    rpc_server_free(served->server);
    store_close(served->store);
}

static void check_call(besom_status status, const besom_error *error, const char *what)
{
    if (status != BESOM_OK)
        fail_msg("%s: %s", what, error->text);
}

static void register_agent(struct served *served)
{
    Besom__V1__RegisterAgentRequest request = BESOM__V1__REGISTER_AGENT_REQUEST__INIT;
    Besom__V1__RegisterAgentResponse *response;
    besom_error error;
    request.agent_id = AGENT;
    request.sweep_id = SWEEP;
    request.slots = 1000;
    request.protocol_min = request.protocol_max = 1;
    check_call(besom_agent_register(served->client, &request, &response, &error), &error, "RegisterAgent");
    besom_message_free(response);
}

void served_start(struct served *served, struct database *database, int runs,
                  struct controller_options options)
{
    besom_client_options client_options = BESOM_CLIENT_OPTIONS_INIT;
    besom_error error;
    *served = (struct served){.database = database, .options = options, .folder = "/tmp/besom-test-c-XXXXXX"};
    prepare_sweep(database, runs);
    fill_options(&served->options, database->url);
    assert_non_null(mkdtemp(served->folder));
    (void)snprintf(served->address, sizeof served->address, "unix:%s/socket", served->folder);
    served_begin_controller(served);
    client_options.address = served->address;
    check_call(besom_client_new(&client_options, &served->client, &error), &error, "client");
    register_agent(served);
}

void served_shutdown(struct served *served, int64_t grace_ms)
{
    rpc_server_shutdown(served->server, grace_ms);
}

void served_free(struct served *served)
{
    served_end_controller(served);
    besom_client_free(served->client);
    (void)unlink(served->address + strlen("unix:"));
    (void)rmdir(served->folder);
}

void served_stop(struct served *served)
{
    served_shutdown(served, 1000);
    served_free(served);
}

void served_acquire(struct served *served, int32_t slot, char run_id[9])
{
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    Besom__V1__AcquireRunResponse *response;
    besom_error error;
    request.agent_id = AGENT;
    request.sweep_id = SWEEP;
    request.slot = slot;
    request.wait_ms = 10000;
    check_call(besom_run_acquire(served->client, &request, &response, &error), &error, "AcquireRun");
    assert_int_equal(response->verdict_case, BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN);
    (void)snprintf(run_id, 9, "%s", response->run->run_id);
    besom_message_free(response);
}

/* ---- streams ---- */

static void on_message(void *context, const void *message)
{
    const Besom__V1__TrackRunResponse *response = message;
    struct line *line = context;
    pthread_mutex_lock(&line->lock);
    switch (response->message_case) {
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_OPENED:
        line->opened++;
        line->last_ack = response->opened->last_sequence;
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_ACK:
        line->acks++;
        line->last_ack = response->ack->last_sequence;
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_REFUSED: line->refusals++; break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_DIRECTIVE: line->directives++; break;
    default: break;
    }
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static void on_close(void *context, const besom_error *error)
{
    struct line *line = context;
    pthread_mutex_lock(&line->lock);
    line->closed++;
    line->end = error->code;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static void send_message(struct line *line, Besom__V1__TrackRunRequest *message)
{
    while (besom_run_track_send(line->stream, message) == BESOM_EXHAUSTED)
        pause_briefly();
}

void line_open(struct line *line, struct served *served, const char *run_id)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackOpen open = BESOM__V1__TRACK_OPEN__INIT;
    besom_error error;
    *line = (struct line){.served = served};
    (void)snprintf(line->run_id, sizeof line->run_id, "%s", run_id);
    pthread_mutex_init(&line->lock, NULL);
    clock_cond_init(&line->changed);
    check_call(besom_run_track(served->client, &handler, line, &line->stream, &error), &error, "TrackRun");
    open.sweep_id = SWEEP;
    open.run_id = line->run_id;
    open.agent_id = AGENT;
    open.attempt = 1;
    open.started_us = 1;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_OPEN;
    message.open = &open;
    send_message(line, &message);
    line_await(line, &line->opened, 1);
}

void line_free(struct line *line)
{
    besom_stream_free(line->stream);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->lock);
}

void line_send_value(struct line *line, int64_t sequence, double value)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackBatch batch = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__Series series = BESOM__V1__SERIES__INIT, *all[] = {&series};
    int64_t time_us = 1;
    series.name = "loss";
    series.n_values = series.n_steps = series.n_times_us = 1;
    series.values = &value;
    series.steps = &sequence;
    series.times_us = &time_us;
    batch.sequence = sequence;
    batch.n_series = 1;
    batch.series = all;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = &batch;
    send_message(line, &message);
}

void line_send_output(struct line *line, int64_t sequence, size_t length)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackBatch batch = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__LogPart part = BESOM__V1__LOG_PART__INIT, *all[] = {&part};
    part.offset = (sequence - 1) * (int64_t)length;
    part.text.data = calloc(1, length);
    part.text.len = length;
    assert_non_null(part.text.data);
    batch.sequence = sequence;
    batch.n_logs = 1;
    batch.logs = all;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = &batch;
    send_message(line, &message);
    free(part.text.data);
}

void line_send_alive(struct line *line)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackAlive alive = BESOM__V1__TRACK_ALIVE__INIT;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_ALIVE;
    message.alive = &alive;
    send_message(line, &message);
}

void line_await(struct line *line, const int64_t *counter, int64_t value)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + PATIENCE_MS, left_ms;
    pthread_mutex_lock(&line->lock);
    while (*counter < value && (left_ms = end_ms - clock_monotonic_ms(&clock_system)) > 0)
        (void)clock_cond_wait(&line->changed, &line->lock, left_ms);
    int64_t found = *counter;
    pthread_mutex_unlock(&line->lock);
    assert_true(found >= value);
}

int64_t line_read(struct line *line, const int64_t *counter)
{
    pthread_mutex_lock(&line->lock);
    int64_t value = *counter;
    pthread_mutex_unlock(&line->lock);
    return value;
}

/* ---- the database ---- */

struct locks {
    PGconn *pg;
};

struct locks *locks_take(struct database *database, const char *sql)
{
    struct locks *locks = calloc(1, sizeof *locks);
    assert_non_null(locks);
    locks->pg = PQconnectdb(database->url);
    PQclear(PQexec(locks->pg, "BEGIN"));
    PGresult *result = PQexec(locks->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(locks->pg));
    PQclear(result);
    return locks;
}

void locks_release(struct locks *locks)
{
    PQfinish(locks->pg);
    free(locks);
}

/* The test's server, but not its database. */
static PGconn *connect_beside(const struct database *database)
{
    const char *keys[64], *values[64];
    PQconninfoOption *options = PQconninfoParse(database->url, NULL);
    size_t count = 0;
    assert_non_null(options);
    for (const PQconninfoOption *option = options; option->keyword != NULL && count < 62; option++) {
        if (option->val == NULL)
            continue;
        keys[count] = option->keyword;
        values[count++] = strcmp(option->keyword, "dbname") == 0 ? "postgres" : option->val;
    }
    keys[count] = NULL;
    PGconn *pg = PQconnectdbParams(keys, values, 0);
    PQconninfoFree(options);
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    return pg;
}

static void allow_connections(const struct database *database, bool allowed)
{
    char sql[512];
    PGconn *pg = connect_beside(database);
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS %s", database->name,
                   allowed ? "true" : "false");
    PQclear(PQexec(pg, sql));
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '%s'",
                   database->name);
    if (!allowed)
        PQclear(PQexec(pg, sql));
    PQfinish(pg);
}

void database_cut(struct database *database)
{
    allow_connections(database, false);
}

void database_mend(struct database *database)
{
    allow_connections(database, true);
}

void await_number(struct database *database, const char *sql, int64_t wanted)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + PATIENCE_MS, found;
    while ((found = database_number(database->url, sql)) != wanted) {
        if (clock_monotonic_ms(&clock_system) > end_ms)
            fail_msg("%s: %lld, not %lld", sql, (long long)found, (long long)wanted);
        pause_briefly();
    }
}

void await_waiting(struct database *database, int count)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT (count(*) >= %d)::int FROM pg_stat_activity WHERE datname = '%s' AND "
                   "wait_event_type = 'Lock'",
                   count, database->name);
    await_number(database, sql, 1);
}

static bool has_thread(const char *name)
{
    glob_t found;
    bool any = false;
    if (glob("/proc/self/task/*/comm", 0, NULL, &found) != 0)
        return true;
    for (size_t i = 0; i < found.gl_pathc && !any; i++) {
        char line[32] = "";
        FILE *file = fopen(found.gl_pathv[i], "r");
        if (file == NULL)
            continue;
        any = fgets(line, sizeof line, file) != NULL && strncmp(line, name, strlen(name)) == 0;
        (void)fclose(file);
    }
    globfree(&found);
    return any;
}

void await_no_thread(const char *name)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + PATIENCE_MS;
    while (has_thread(name)) {
        if (clock_monotonic_ms(&clock_system) > end_ms)
            fail_msg("there still is a thread %s", name);
        pause_briefly();
    }
}
