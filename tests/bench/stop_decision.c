// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What one early-stopping decision costs the scheduler in a large sweep: microseconds of a processor from a
 * numbered value to the decision with its words and rivals, while 1,000 and then 100,000 runs stand at the
 * band, the greatest over the types of rules; and how much the larger sweep costs more.
 *
 *     bench_stop_decision [DECISIONS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "services/scheduler/judge.h"
#include "tests/bench/bench.h"

#define DECISIONS_DEFAULT 5000
#define DECISIONS_MAX 100000
#define FEW 1000
#define MANY 100000
#define SEED 1
/* log(100,000) / log(1,000) is 1.7; the rest is for memory that no cache holds. */
#define GROWTH_MAX 10

static const struct stop_config rules[] = {
    {.type = STOP_HYPERBAND, .min_iter = 3, .eta = 3, .strict = true},
    {.type = STOP_ASHA, .min_iter = 1, .max_iter = 81, .eta = 3, .strict = true, .max_stops = 0.9},
    {.type = STOP_MEDIAN, .min_iter = 1, .eta = 1.15, .min_runs = 5},
};

static double processor_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct stop_rule *new_rule(const struct stop_config *config)
{
    struct stop_rule *rule = NULL;
    struct err err = ERR_INIT;
    if (stop_rule_new(config, false, &rule, &err) != STATUS_OK)
        bench_fail("making a rule", err.text);
    return rule;
}

/* Run `number` reaches the first band. */
static void judge(struct stop_rule *rule, uint64_t number, struct arena *arena)
{
    char run[24];
    struct store_decision decision;
    struct err err = ERR_INIT;
    (void)snprintf(run, sizeof run, "%08llx", (unsigned long long)number);
    double loss = random_draw_unit(SEED, number, "loss", 0);
    const struct store_rung_value value = {.sweep_id = "sweep",
                                           .run_id = run,
                                           .number = (int64_t)number + 1,
                                           .attempt = 1,
                                           .band = stop_rule_band(rule, 0),
                                           .value = loss,
                                           .best = loss,
                                           .mean = loss};
    if (judge_value(rule, &value, arena, &decision, &err) != STATUS_OK)
        bench_fail("deciding", err.text);
    arena_reset(arena);
}

static void fill(struct stop_rule *rule, uint64_t count)
{
    char run[24];
    bool stale;
    struct err err = ERR_INIT;
    for (uint64_t i = 0; i < count; i++) {
        double loss = random_draw_unit(SEED, i, "loss", 0);
        const struct stop_value value = {.value = loss, .best = loss, .mean = loss};
        (void)snprintf(run, sizeof run, "%08llx", (unsigned long long)i);
        if (stop_rule_store(rule, run, 1, 0, &value, &stale, &err) != STATUS_OK)
            bench_fail("storing a value", err.text);
    }
}

/* Microseconds of one decision once `count` runs got to the band: those at 99 % of `decisions`. */
static double measure(const struct stop_config *config, uint64_t count, size_t decisions)
{
    static double took[DECISIONS_MAX];
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct stop_rule *rule = new_rule(config);
    fill(rule, count);
    for (size_t i = 0; i < decisions; i++) {
        double start = processor_us();
        judge(rule, count + i, &arena);
        took[i] = processor_us() - start;
    }
    stop_rule_free(rule);
    (void)bench_median(took, (int)decisions);
    return took[decisions * 99 / 100];
}

int main(int argc, char *argv[])
{
    bench_begin("stop_decision");
    size_t decisions = (size_t)bench_argument(argc, argv, 1, DECISIONS_DEFAULT, 1, DECISIONS_MAX);
    double worst = 0, growth = 0;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        double few = measure(&rules[i], FEW, decisions), many = measure(&rules[i], MANY, decisions);
        worst = many > worst ? many : worst;
        growth = many / few > growth ? many / few : growth;
    }
    bench_begin("stop_decision/100000");
    int missed = bench_at_most(worst, "us", 1000);
    bench_begin("stop_decision/growth");
    return missed | bench_at_most(growth, "of a decision among 1000", GROWTH_MAX);
}
