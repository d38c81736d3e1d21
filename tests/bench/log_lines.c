// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a line of ten values on the run socket costs the shim: microseconds of its processor, with ten names
 * in order and with 5,000 names in any order. The shim's spool must hold every value in the end, in batches
 * that are not tiny.
 *
 *     bench_log_lines [LINES]
 */
#include <besom/v1/run_service.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "clients/agent/shim.h"
#include "clients/agent/spool.h"
#include "tests/bench/bench.h"

#define VALUES_A_LINE 10
#define NAMES 5000
#define CHUNK 60000
#define LINES_DEFAULT 1000000
#define GOAL_US 6
#define GOAL_NAMES_US 10
#define BATCH_GOAL 2000

struct result {
    double rate, shim_us, points_a_batch;
};

static double seconds_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
}

/* ---- the program ---- */

static void send_all(int fd, struct buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t sent = send(fd, text->data + done, text->length - done, 0);
        if (sent <= 0)
            exit(3);
        done += (size_t)sent;
    }
    buffer_clear(text);
}

static void put_line(struct buffer *out, long step, unsigned *draw, bool any_order)
{
    unsigned first = *draw >> 8;
    buffer_puts(out, "{\"log\": {");
    for (unsigned i = 0; i < VALUES_A_LINE; i++) {
        *draw = *draw * 1664525U + 1013904223U;
        /* ten names of a line differ, for NAMES has no divisor in common with 499 */
        unsigned name = any_order ? (first + 499 * i) % NAMES : i;
        buffer_printf(out, "%s\"metric/%u\": %.17g", i > 0 ? ", " : "", name, *draw / 4294967296.0);
    }
    buffer_printf(out, "}, \"step\": %ld}\n", step);
}

/* Prints its lines a second, and the processor's seconds that it took itself. */
static int log_lines(long lines, bool any_order)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("BESOM_RUN_SOCKET");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (path == NULL || strlen(path) >= sizeof address.sun_path || fd < 0)
        return 3;
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return 3;
    struct buffer text = BUFFER_INIT;
    unsigned draw = 1;
    int64_t begin_us = clock_monotonic_us(&clock_system);
    for (long i = 0; i < lines; i++) {
        put_line(&text, i, &draw, any_order);
        if (text.length > CHUNK)
            send_all(fd, &text);
    }
    send_all(fd, &text);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    (void)printf("%.1f %.6f\n", (double)lines * 1e6 / (double)(clock_monotonic_us(&clock_system) - begin_us),
                 seconds_of(&usage));
    return 0;
}

/* ---- what the shim made of it ---- */

static void take_batch(const struct buffer *payload, struct buffer *output, size_t *points)
{
    Besom__V1__TrackBatch *batch =
        besom__v1__track_batch__unpack(NULL, payload->length, (const uint8_t *)payload->data);
    if (batch == NULL)
        bench_fail("reading the spool", "a batch is broken");
    for (size_t i = 0; i < batch->n_series; i++)
        *points += batch->series[i]->n_values;
    for (size_t i = 0; i < batch->n_logs; i++)
        buffer_append(output, batch->logs[i]->text.data, batch->logs[i]->text.len);
    besom__v1__track_batch__free_unpacked(batch, NULL);
}

static struct result read_spool(const struct attempt_paths *paths, long lines, const struct rusage *usage)
{
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    struct buffer payload = BUFFER_INIT, output = BUFFER_INIT;
    int64_t sequence = 0;
    size_t points = 0;
    double rate = 0, own_s = 0;
    if (spool_reader_new(paths->spool, &reader, &err) != STATUS_OK)
        bench_fail("reading the spool", err.text);
    while (spool_read(reader, &sequence, &payload))
        take_batch(&payload, &output, &points);
    spool_reader_free(reader);
    if (points != (size_t)lines * VALUES_A_LINE ||
        sscanf(buffer_text(&output), "%lf %lf", &rate, &own_s) != 2)
        bench_fail("reading the spool", "values are missing");
    buffer_free(&payload);
    buffer_free(&output);
    return (struct result){.rate = rate,
                           .shim_us = (seconds_of(usage) - own_s) * 1e6 / (double)lines,
                           .points_a_batch = (double)points / (double)sequence};
}

static struct result run_once(char *self, long lines, bool any_order)
{
    char root[] = "/tmp/besom-bench-XXXXXX", folder[64], number[32];
    char *command[] = {self, (char[]){"--log"}, number, (char *)(uintptr_t)(any_order ? "1" : "0"), NULL};
    struct attempt_paths paths;
    struct err err = ERR_INIT;
    struct rusage usage;
    pid_t pid;
    int end = 0;
    if (mkdtemp(root) == NULL)
        bench_fail("starting", "no temporary folder");
    (void)snprintf(folder, sizeof folder, "%s/run00001.1", root);
    (void)snprintf(number, sizeof number, "%ld", lines);
    const struct attempt_spec spec = {.sweep_id = root,
                                      .run_id = root,
                                      .attempt = 1,
                                      .project = root,
                                      .params_json = (char[]){"{}"},
                                      .command = command,
                                      .stop_grace_ms = 1000,
                                      .lost_after_ms = 600000,
                                      .lease_ms = 600000,
                                      .spool_limit_bytes = INT64_C(4) << 30};
    if (attempt_paths_make(folder, &paths, &err) != STATUS_OK ||
        attempt_create(&paths, &spec, &err) != STATUS_OK)
        bench_fail("starting", err.text);
    int lock = attempt_lock(&paths);
    if (lock < 0 || shim_spawn(&paths, lock, &pid, &err) != STATUS_OK)
        bench_fail("starting", err.text);
    (void)close(lock);
    if (wait4(pid, &end, 0, &usage) != pid || end != 0)
        bench_fail("running", "the shim failed");
    struct result result = read_spool(&paths, lines, &usage);
    attempt_remove(&paths);
    (void)rmdir(root);
    return result;
}

static int report(const char *name, const struct result *result, double goal_us)
{
    bench_begin(name);
    (void)printf("%s: %.0f lines/s, %.0f points a batch\n", name, result->rate, result->points_a_batch);
    int missed = bench_at_most(result->shim_us, "us", goal_us);
    return result->points_a_batch < BATCH_GOAL ? bench_at_least(result->points_a_batch, "points", BATCH_GOAL)
                                               : missed;
}

int main(int argc, char *argv[])
{
    char self[4096] = "";
    if (argc == 3 && strcmp(argv[1], "--shim") == 0)
        return shim_main(argv[2]);
    if (argc == 4 && strcmp(argv[1], "--log") == 0)
        return log_lines(strtol(argv[2], NULL, 10), argv[3][0] == '1');
    bench_begin("log_lines");
    long lines = (long)bench_argument(argc, argv, 1, LINES_DEFAULT, 1000, 1e8);
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        bench_fail("starting", "/proc is needed");
    struct result plain = run_once(self, lines, false), names = run_once(self, lines, true);
    int missed = report("log_lines/plain", &plain, GOAL_US);
    return report("log_lines/names", &names, GOAL_NAMES_US) | missed;
}
