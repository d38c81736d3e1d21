// SPDX-License-Identifier: GPL-3.0-or-later
/* Counting, and Prometheus' text format. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/service_metrics.h"

enum { PLAIN, LABELLED, PAIRS, LEVEL, SIZES, LATENCY, METRICS };
enum { RED, GREEN };

static const struct metric_label color = METRIC_LABEL("color", "red", "green");
static const char *names[2];
static struct metric_label grown = {.name = "method", .values = names, .room = 2};
static const int64_t sizes[] = {1, 10};

static struct metric metrics[METRICS] = {
    [PLAIN] = {.name = "test_plain_total", .type = METRIC_COUNTER, .help = "Plain."},
    [LABELLED] = {.name = "test_labelled_total",
                  .type = METRIC_COUNTER,
                  .labels = {&color},
                  .help = "By color."},
    [PAIRS] = {.name = "test_pairs_total",
               .type = METRIC_COUNTER,
               .labels = {&grown, &color},
               .sparse = true,
               .help = "By both."},
    [LEVEL] = {.name = "test_level_seconds", .type = METRIC_GAUGE, .unit = 1e-6, .help = "A level."},
    [SIZES] =
        {.name = "test_sizes", .type = METRIC_HISTOGRAM, .bounds = sizes, .bound_count = 2, .help = "Sizes."},
    [LATENCY] = {.name = "test_latency_seconds", .type = METRIC_HISTOGRAM, METRIC_LATENCY, .help = "Time."},
};

static char *text_of_all(void)
{
    struct buffer out = BUFFER_INIT;
    metrics_write(&out);
    char *text = buffer_take(&out);
    assert_non_null(text);
    return text;
}

static void assert_written(const char *lines)
{
    char *text = text_of_all();
    if (strstr(text, lines) == NULL)
        fail_msg("not in what was written:\n%s\n---\n%s", lines, text);
    free(text);
}

static void a_table_that_is_not_open_counts_nothing(void **state)
{
    (void)state;
    metric_add(&metrics[PLAIN], 0, 1);
    metric_set(&metrics[LEVEL], 0, 1);
    metric_observe(&metrics[SIZES], 0, 1);
    assert_int_equal(metric_get(&metrics[PLAIN], 0), 0);
    assert_int_equal(metric_get(&metrics[SIZES], 0), 0);
}

static int open_table(void **state)
{
    (void)state;
    return metrics_open(metrics, METRICS, NULL) == STATUS_OK ? 0 : -1;
}

static void counters_and_gauges_are_written(void **state)
{
    (void)state;
    metric_add(&metrics[PLAIN], 0, 3);
    metric_add(&metrics[LABELLED], GREEN, 2);
    metric_set(&metrics[LEVEL], 0, 1500000);
    assert_written("# HELP test_plain_total Plain.\n# TYPE test_plain_total counter\ntest_plain_total 3\n");
    assert_written("test_labelled_total{color=\"red\"} 0\ntest_labelled_total{color=\"green\"} 2\n");
    assert_written("# TYPE test_level_seconds gauge\ntest_level_seconds 1.5\n");
}

static void labels_grow_up_to_their_room(void **state)
{
    (void)state;
    assert_written("# TYPE test_pairs_total counter\n# HELP");
    assert_int_equal(metrics_add_value(&grown, names, "a"), 0);
    assert_int_equal(metrics_add_value(&grown, names, "b"), 1);
    assert_int_equal(metrics_add_value(&grown, names, "c"), 1);
    metric_add(&metrics[PAIRS], METRIC_SERIES(&metrics[PAIRS], 1, RED), 7);
    assert_written("# TYPE test_pairs_total counter\ntest_pairs_total{method=\"b\",color=\"red\"} 7\n# HELP");
}

static void histograms_add_up(void **state)
{
    (void)state;
    static const int64_t seen[] = {0, 1, 2, 10, 11, 1000};
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        metric_observe(&metrics[SIZES], 0, seen[i]);
    assert_written("test_sizes_bucket{le=\"1\"} 2\ntest_sizes_bucket{le=\"10\"} 4\n"
                   "test_sizes_bucket{le=\"+Inf\"} 6\ntest_sizes_sum 1024\ntest_sizes_count 6\n");
    metric_observe(&metrics[LATENCY], 0, 250);
    assert_written(
        "test_latency_seconds_bucket{le=\"0.0001\"} 0\ntest_latency_seconds_bucket{le=\"0.00025\"} 1\n");
    assert_written("test_latency_seconds_bucket{le=\"60\"} 1\ntest_latency_seconds_bucket{le=\"+Inf\"} 1\n"
                   "test_latency_seconds_sum 0.00025\ntest_latency_seconds_count 1\n");
}

#define THREADS 4
#define EACH 20000

static void *count_much(void *context)
{
    (void)context;
    for (int i = 0; i < EACH; i++) {
        metric_add(&metrics[LABELLED], RED, 1);
        metric_observe(&metrics[SIZES], 0, i % 20);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int64_t red = metric_get(&metrics[LABELLED], RED), sizes_before = metric_get(&metrics[SIZES], 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
    free(text_of_all());
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_get(&metrics[LABELLED], RED) - red, THREADS * EACH);
    assert_int_equal(metric_get(&metrics[SIZES], 0) - sizes_before, THREADS * EACH);
}

static void set_level(void *context)
{
    metric_set(&metrics[LEVEL], 0, *(const int64_t *)context);
}

static void collectors_run_at_each_writing(void **state)
{
    (void)state;
    static int64_t level = 2000000;
    metrics_on_write(set_level, &level);
    assert_written("test_level_seconds 2\n");
    level = 2500000;
    assert_written("test_level_seconds 2.5\n");
}

static void a_service_counts_its_calls_and_its_process(void **state)
{
    (void)state;
    static const struct rpc_method unary = {.path = "/p.S/U", .kind = RPC_UNARY};
    static const struct rpc_method stream = {.path = "/p.S/B", .kind = RPC_BIDI_STREAM};
    const struct rpc_observer *observer = &service_rpc_observer;
    assert_int_equal(service_metrics_open(NULL), STATUS_OK);
    void *first = observer->method(NULL, &unary), *second = observer->method(NULL, &stream);
    void *unknown = observer->method(NULL, NULL);
    observer->begun(first);
    observer->begun(first);
    observer->begun(second);
    observer->begun(unknown);
    observer->ended(first, STATUS_INVALID, 300);
    observer->ended(unknown, STATUS_UNIMPLEMENTED, 10);
    assert_written("besom_rpc_in_flight_requests{method=\"p.S/U\"} 1\n");
    assert_written(
        "besom_rpc_open_streams{method=\"p.S/U\"} 0\nbesom_rpc_open_streams{method=\"p.S/B\"} 1\n");
    assert_written("besom_rpc_requests_total{method=\"p.S/U\",code=\"INVALID_ARGUMENT\"} 1\n"
                   "besom_rpc_requests_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 1\n");
    assert_written("besom_rpc_request_duration_seconds_count{method=\"p.S/U\"} 1\n");
    observer->ended(second, STATUS_IO, 1);
    assert_written("besom_rpc_requests_total{method=\"p.S/B\",code=\"INTERNAL\"} 1\n");
    assert_true(metric_get(&service_metrics[SERVICE_RESIDENT], 0) > 100000);
    assert_true(metric_get(&service_metrics[SERVICE_OPEN_FDS], 0) >= 3);
    assert_true(metric_get(&service_metrics[SERVICE_CPU], 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_that_is_not_open_counts_nothing),
        cmocka_unit_test_setup(counters_and_gauges_are_written, open_table),
        cmocka_unit_test(labels_grow_up_to_their_room),
        cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(collectors_run_at_each_writing),
        cmocka_unit_test(a_service_counts_its_calls_and_its_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
