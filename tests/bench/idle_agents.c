// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Resident memory of a controller for each idle agent: connected on a connection of its own, registered, with
 * a parked AcquireRun. Read from the controller's /proc/PID/status before the agents come and while they
 * wait.
 *
 *     bench_idle_agents PID GOAL_KB [AGENTS [SECONDS]]
 *
 * PID is the controller that BESOM_ADDRESS leads to, which must be on this machine. The greatest figure
 * within SECONDS counts.
 */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#define AGENTS_MAX 100000
#define SPARE_FILES 200
#define WAIT_MS 60000
#define TIMEOUT_MS 90000
#define SETTLE_MS 2000
#define SAMPLE_MS 250
#define REST_MS 60000

/* Its one run is handed out, so everybody else waits for what becomes of it. */
static const char sweep_file[] = "method: random\nprogram: x\nrun_cap: 1\nmetric: {name: loss}\nparameters:\n"
                                 "  x: {distribution: uniform, min: 0, max: 1}\n";

struct agent {
    besom_client *client;
    char agent_id[CALLS_AGENT_ID_SIZE];
};

static char sweep_id[ID_SIZE];
static atomic_int exits;

/* ---- /proc ---- */

static int64_t resident_kb(long pid)
{
    char path[64], line[256];
    long long kb = -1;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_fail(path, "cannot be read");
    while (kb < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoll(line + 6, NULL, 10);
    (void)fclose(file);
    if (kb < 0)
        bench_fail(path, "has no VmRSS");
    return kb;
}

static int64_t open_files(long pid)
{
    char path[64];
    int64_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        bench_fail(path, "cannot be read");
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

/* ---- agents ---- */

static void park(struct agent *agent);

static void answered(void *context, const void *response, const besom_error *error)
{
    const Besom__V1__AcquireRunResponse *answer = response;
    if (answer == NULL)
        bench_fail("AcquireRun", error->text);
    if (answer->verdict_case == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_EXIT)
        atomic_fetch_add(&exits, 1);
    else if (answer->verdict_case == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_WAIT)
        park(context);
    else
        bench_fail("AcquireRun", "a run came to an agent that should wait");
}

static void park(struct agent *agent)
{
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    request.sweep_id = sweep_id;
    request.agent_id = agent->agent_id;
    request.wait_ms = WAIT_MS;
    besom_call *call = besom_run_acquire_async(agent->client, &request, TIMEOUT_MS, answered, agent);
    if (call == NULL)
        bench_fail("AcquireRun", "out of memory");
    besom_call_free(call);
}

static void take_only_run(besom_client *client, const char *agent_id)
{
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    Besom__V1__AcquireRunResponse *response;
    besom_error error;
    request.sweep_id = sweep_id;
    request.agent_id = (char *)(uintptr_t)agent_id;
    request.wait_ms = 20000;
    if (besom_run_acquire(client, &request, &response, &error) != BESOM_OK)
        bench_fail("AcquireRun", error.text);
    if (response->verdict_case != BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN)
        bench_fail("AcquireRun", "no run came");
    besom_message_free(response);
}

static void connect_agents(struct agent *agents, int count)
{
    for (int i = 0; i < count; i++) {
        agents[i].client = calls_connect();
        calls_register_agent(agents[i].client, sweep_id, i + 1, agents[i].agent_id);
        park(&agents[i]);
    }
}

static void dismiss_agents(besom_client *client, struct agent *agents, int count)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + REST_MS;
    calls_cancel_sweep(client, sweep_id);
    while (atomic_load(&exits) < count) {
        if (clock_monotonic_ms(&clock_system) > end_ms)
            bench_fail("AcquireRun", "agents were not told to leave");
        bench_sleep_ms(20);
    }
    for (int i = 0; i < count; i++)
        besom_client_free(agents[i].client);
}

/* ---- the measure ---- */

static void check_limit(int count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < (rlim_t)count + SPARE_FILES)
        bench_fail("open files", "the hard limit (ulimit -Hn) is too low for so many agents");
}

static int64_t greatest_kb(long pid, int64_t ms)
{
    int64_t greatest = 0, end_ms = clock_monotonic_ms(&clock_system) + ms;
    bench_sleep_ms(SETTLE_MS);
    do {
        int64_t kb = resident_kb(pid);
        greatest = kb > greatest ? kb : greatest;
        bench_sleep_ms(SAMPLE_MS);
    } while (clock_monotonic_ms(&clock_system) < end_ms);
    return greatest;
}

static double measure(long pid, besom_client *client, struct agent *agents, int count, int64_t ms)
{
    int64_t before_kb = resident_kb(pid), files = open_files(pid);
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    connect_agents(agents, count);
    double took_s = (double)(clock_monotonic_ms(&clock_system) - begin_ms) / 1000;
    int64_t with_kb = greatest_kb(pid, ms);
    if (open_files(pid) - files < count)
        bench_fail("connections", "agents share some");
    (void)printf("%d agents in %.1f s: controller %lld KB before, %lld KB with them", count, took_s,
                 (long long)before_kb, (long long)with_kb);
    dismiss_agents(client, agents, count);
    bench_sleep_ms(SETTLE_MS);
    (void)printf(", %lld KB after\n", (long long)resident_kb(pid));
    return (double)(with_kb - before_kb) / count;
}

int main(int argc, char *argv[])
{
    bench_begin(getenv("BESOM_CA_FILE") != NULL ? "idle_agents/tls" : "idle_agents/plain");
    if (argc < 3)
        bench_fail("usage", "bench_idle_agents PID GOAL_KB [AGENTS [SECONDS]]");
    long pid = (long)bench_argument(argc, argv, 1, 0, 1, 1e9);
    double goal_kb = bench_argument(argc, argv, 2, 0, 1, 1e6);
    int count = (int)bench_argument(argc, argv, 3, 5000, 1, AGENTS_MAX);
    int64_t ms = (int64_t)(1000 * bench_argument(argc, argv, 4, 10, 0.1, 600));
    struct agent *agents = calloc((size_t)count, sizeof *agents);
    char holder[CALLS_AGENT_ID_SIZE];
    if (agents == NULL)
        bench_fail("memory", "out of it");
    check_limit(count);
    besom_client *client = calls_connect();
    calls_create_sweep(client, sweep_file, sweep_id);
    calls_register_agent(client, sweep_id, 0, holder);
    take_only_run(client, holder);
    double kb = measure(pid, client, agents, count, ms);
    besom_client_free(client);
    free(agents);
    return bench_at_most(kb, "KB an agent", goal_kb);
}
