// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A tuning problem whose learning curves are known: epochs that a search by 16 workers spends until a run is
 * within 1 % of the best of those drawn, without early stopping and under each rule, over some seeds.
 *
 * stopping_problem.h says what is tuned. As curves cross, printed is how many pairs of configurations stand
 * after few epochs as they do at the end. What counts as reached has no noise on it. A search that has tried
 * all configurations tries them again with other noise, and is given up, at the price of trying each twice
 * without stopping, when it has spent that. The model of bohb chooses any points, the others the 256 drawn.
 *
 *     bench_stopping [SEEDS]
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "stop/stop.h"
#include "tests/bench/bench.h"
#include "tests/bench/stopping_halving.h"
#include "tests/bench/stopping_problem.h"

#define SEEDS_DEFAULT 20
#define SEEDS_MAX 1000

struct contender {
    const char *name;
    bool stops;
    struct stop_config config;
    double goal; /* greatest share of the epochs that are spent without stopping; 0 = none */
};

static const struct contender contenders[] = {
    {"none", false, {0}, 0},
    {"stopping/hyperband",
     true,
     {.type = STOP_HYPERBAND,
      .form = STOP_FORM_MAX_ITER,
      .max_iter = EPOCHS,
      .s = 4,
      .eta = 3,
      .strict = true},
     1.0 / 3},
    {"stopping/asha",
     true,
     {.type = STOP_ASHA, .min_iter = 1, .max_iter = EPOCHS, .eta = 3, .strict = true},
     1.0 / 3},
    {"stopping/median", true, {.type = STOP_MEDIAN, .min_iter = 1, .eta = 1.15, .min_runs = 5}, 1},
    {"stopping/hyperband_full",
     true,
     {.type = STOP_HYPERBAND_FULL, .min_iter = 1, .max_iter = EPOCHS, .eta = 3, .strict = true},
     1},
    {"stopping/bohb",
     true,
     {.type = STOP_BOHB, .min_iter = 1, .max_iter = EPOCHS, .eta = 3, .strict = true},
     1},
};

/* Goals are for the first; in the second slow starters look hopeless at the early bands although the best is
 * among them, which no rule that compares early can know. */
static const struct kind kinds[] = {
    {"curves that cross early", 0.5, 0.25, 1.0, 0.1, true},
    {"slow starters", 0.3, 2, 0.9, 0.5, false},
};

struct worker {
    uint64_t run;
    int epoch; /* done; 0 = takes the next run */
    size_t band;
    double best, total;
};

struct search {
    const struct problem *problem;
    struct stop_rule *rule; /* owned; NULL: nothing is stopped */
    uint64_t next_run;
    int64_t spent;
    struct worker workers[WORKERS];
};

/* True when the rule stops the run at its newest epoch. */
static bool is_stopped(struct search *search, struct worker *worker, double logged)
{
    struct stop_decision decision;
    struct err err = ERR_INIT;
    char key[24];
    if (search->rule == NULL || stop_rule_band(search->rule, worker->band) != worker->epoch)
        return false;
    const struct stop_value value = {
        .value = logged, .best = worker->best, .mean = worker->total / worker->epoch};
    (void)snprintf(key, sizeof key, "run%llu", (unsigned long long)worker->run);
    if (stop_rule_observe(search->rule, key, 1, worker->band++, &value, &decision, &err) != STATUS_OK)
        bench_fail("deciding", err.text);
    return decision.stop;
}

/* One epoch; true when it brought the loss within reach of the best. */
static bool train(struct search *search, struct worker *worker)
{
    const struct problem *problem = search->problem;
    if (worker->epoch == 0)
        *worker = (struct worker){.run = search->next_run++, .best = HUGE_VAL};
    double loss = curve_loss(&problem->curves[worker->run % CONFIGS], ++worker->epoch);
    double logged = problem_logged(problem, worker->run, worker->epoch, loss);
    search->spent++;
    worker->best = fmin(worker->best, logged);
    worker->total += logged;
    if (is_stopped(search, worker, logged) || worker->epoch == EPOCHS)
        worker->epoch = 0;
    return loss <= NEAR * problem->best;
}

/* Epochs of all workers until one run got there. */
static int64_t run_search(const struct problem *problem, const struct contender *contender, uint64_t *tried)
{
    struct search search = {.problem = problem};
    struct err err = ERR_INIT;
    bool reached = false;
    if (contender->config.type == STOP_HYPERBAND_FULL || contender->config.type == STOP_BOHB)
        return halving_search(problem, &contender->config, tried);
    if (contender->stops && stop_rule_new(&contender->config, false, &search.rule, &err) != STATUS_OK)
        bench_fail("making a rule", err.text);
    while (!reached && search.spent < EPOCHS_MAX)
        for (size_t i = 0; i < WORKERS && !reached; i++)
            reached = train(&search, &search.workers[i]);
    stop_rule_free(search.rule);
    *tried = search.next_run;
    return search.spent;
}

struct tally {
    double median, mean, worst, tried;
    size_t given_up;
};

static struct tally measure(const struct kind *kind, const struct contender *contender, size_t seeds)
{
    static double spent[SEEDS_MAX];
    static struct problem problem;
    struct tally tally = {0};
    for (size_t i = 0; i < seeds; i++) {
        uint64_t tried;
        problem_draw(kind, i + 1, &problem);
        spent[i] = (double)run_search(&problem, contender, &tried);
        tally.mean += spent[i] / (double)seeds;
        tally.worst = fmax(tally.worst, spent[i]);
        tally.tried += (double)tried / (double)seeds;
        tally.given_up += spent[i] >= (double)EPOCHS_MAX;
    }
    tally.median = bench_median(spent, (int)seeds);
    return tally;
}

/* Share of the pairs of configurations that stand after `epoch` epochs as they do after all. */
static double pairs_in_order(const struct kind *kind, int epoch, size_t seeds)
{
    static struct problem problem;
    static double early[CONFIGS], late[CONFIGS];
    size_t alike = 0, pairs = 0;
    for (size_t seed = 1; seed <= seeds; seed++) {
        problem_draw(kind, seed, &problem);
        for (size_t i = 0; i < CONFIGS; i++) {
            early[i] = curve_loss(&problem.curves[i], epoch);
            late[i] = curve_loss(&problem.curves[i], EPOCHS);
            for (size_t k = 0; k < i; k++, pairs++)
                alike += (early[i] < early[k]) == (late[i] < late[k]);
        }
    }
    return (double)alike / (double)pairs;
}

/* The epochs of the last contender, by the fewest of the others. */
static int tell_last(const struct tally tallies[])
{
    double fewest = HUGE_VAL;
    for (size_t i = 0; i + 1 < ARRAY_LEN(contenders); i++)
        fewest = fmin(fewest, tallies[i].mean);
    bench_begin("stopping/bohb_to_next");
    return bench_at_most(tallies[ARRAY_LEN(contenders) - 1].mean / fewest, "of the fewest of the others", 1);
}

static void print_kind(const struct kind *kind, size_t seeds, struct tally tallies[])
{
    (void)printf("%s: epochs until a run is within 1 %% of the best, %zu seeds\n", kind->name, seeds);
    for (int epoch = 1; epoch < EPOCHS; epoch *= 3)
        (void)printf("after %2d epochs %.0f %% of the pairs stand as at the end\n", epoch,
                     100 * pairs_in_order(kind, epoch, seeds));
    (void)printf("%-14s %8s %8s %8s %6s %6s %9s\n", "rule", "mean", "median", "worst", "share", "runs",
                 "given up");
    for (size_t i = 0; i < ARRAY_LEN(contenders); i++) {
        const char *name = strrchr(contenders[i].name, '/');
        tallies[i] = measure(kind, &contenders[i], seeds);
        (void)printf("%-14s %8.0f %8.0f %8.0f %6.2f %6.0f %9zu\n",
                     name != NULL ? name + 1 : contenders[i].name, tallies[i].mean, tallies[i].median,
                     tallies[i].worst, tallies[i].mean / tallies[0].mean, tallies[i].tried,
                     tallies[i].given_up);
    }
}

int main(int argc, char *argv[])
{
    struct tally tallies[ARRAY_LEN(contenders)];
    int missed = 0;
    bench_begin("stopping");
    size_t seeds = (size_t)bench_argument(argc, argv, 1, SEEDS_DEFAULT, 1, SEEDS_MAX);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        print_kind(&kinds[k], seeds, tallies);
        for (size_t i = 1; i < ARRAY_LEN(contenders) && kinds[k].has_goals; i++) {
            bench_begin(contenders[i].name);
            missed |= bench_at_most(tallies[i].mean / tallies[0].mean, "of the epochs", contenders[i].goal);
        }
        if (kinds[k].has_goals)
            missed |= tell_last(tallies);
    }
    return missed;
}
