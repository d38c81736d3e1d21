// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A tuning problem whose learning curves are known: epochs that a random search by 16 workers spends until a
 * run is within 1 % of the best that there is, without early stopping and under each rule, over some seeds.
 *
 * Each seed draws 256 configurations of four parameters. The loss of one after t of 81 epochs is
 *
 *     floor + gap * (1 + t / tau)^-beta
 *
 * where floor is a bowl over all parameters and tau and beta follow one of them, so that curves cross:
 * printed is how many pairs of configurations stand after few epochs as they do at the end. What is logged
 * has noise of 1 % on it; what counts as reached has not. A search that has tried all configurations tries
 * them again with other noise, and is given up, at the price of trying each twice without stopping, when it
 * has spent that.
 *
 *     bench_stopping [SEEDS]
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/random.h"
#include "stop/stop.h"
#include "tests/bench/bench.h"

#define SEEDS_DEFAULT 20
#define SEEDS_MAX 1000
#define CONFIGS 256
#define DIMS 4
#define EPOCHS 81
#define WORKERS 16
#define NEAR 1.01
#define NOISE 0.01
#define EPOCHS_MAX (INT64_C(2) * CONFIGS * EPOCHS)

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
};

/* How much the speed of learning differs between configurations. Goals are for the first; in the second slow
 * starters look hopeless at the early bands although the best is among them, which no rule that compares
 * early can know. */
struct kind {
    const char *name;
    double tau, tau_spread, beta, beta_spread;
    bool has_goals;
};

static const struct kind kinds[] = {
    {"curves that cross early", 0.5, 0.25, 1.0, 0.1, true},
    {"slow starters", 0.3, 2, 0.9, 0.5, false},
};

struct curve {
    double floor, gap, tau, beta;
};

struct problem {
    const struct kind *kind;
    uint64_t seed;
    struct curve curves[CONFIGS];
    double best; /* least loss after all epochs */
};

static double loss_after(const struct curve *curve, int epoch)
{
    return curve->floor + curve->gap * pow(1 + epoch / curve->tau, -curve->beta);
}

static struct curve draw_curve(const struct kind *kind, uint64_t seed, uint64_t number)
{
    static const double optimum[DIMS] = {0.35, 0.6, 0.2, 0.75}, weight[DIMS] = {0.8, 0.5, 0.3, 0.1};
    double point[DIMS];
    struct curve curve = {.floor = 0.1, .gap = 2.2};
    for (uint32_t i = 0; i < DIMS; i++) {
        point[i] = random_draw_unit(seed, number, "point", i);
        curve.floor += weight[i] * (point[i] - optimum[i]) * (point[i] - optimum[i]);
    }
    curve.tau = kind->tau + kind->tau_spread * (1 - point[0]);
    curve.beta = kind->beta + kind->beta_spread * point[0];
    return curve;
}

static void draw_problem(const struct kind *kind, uint64_t seed, struct problem *out)
{
    *out = (struct problem){.kind = kind, .seed = seed, .best = HUGE_VAL};
    for (uint64_t i = 0; i < CONFIGS; i++) {
        out->curves[i] = draw_curve(kind, seed, i);
        out->best = fmin(out->best, loss_after(&out->curves[i], EPOCHS));
    }
}

/* Standard normal, a function of its arguments (Box and Muller). */
static double draw_normal(uint64_t seed, uint64_t run, uint32_t epoch)
{
    double radius = sqrt(-2 * log(1 - random_draw_unit(seed, run, "radius", epoch)));
    return radius * cos(6.283185307179586 * random_draw_unit(seed, run, "angle", epoch));
}

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
    double loss = loss_after(&problem->curves[worker->run % CONFIGS], ++worker->epoch);
    double logged = loss * (1 + NOISE * draw_normal(problem->seed, worker->run, (uint32_t)worker->epoch));
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
        draw_problem(kind, i + 1, &problem);
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
        draw_problem(kind, seed, &problem);
        for (size_t i = 0; i < CONFIGS; i++) {
            early[i] = loss_after(&problem.curves[i], epoch);
            late[i] = loss_after(&problem.curves[i], EPOCHS);
            for (size_t k = 0; k < i; k++, pairs++)
                alike += (early[i] < early[k]) == (late[i] < late[k]);
        }
    }
    return (double)alike / (double)pairs;
}

static void print_kind(const struct kind *kind, size_t seeds, struct tally tallies[])
{
    (void)printf("%s: epochs until a run is within 1 %% of the best, %zu seeds\n", kind->name, seeds);
    for (int epoch = 1; epoch < EPOCHS; epoch *= 3)
        (void)printf("after %2d epochs %.0f %% of the pairs stand as at the end\n", epoch,
                     100 * pairs_in_order(kind, epoch, seeds));
    (void)printf("%-10s %8s %8s %8s %6s %6s %9s\n", "rule", "mean", "median", "worst", "share", "runs",
                 "given up");
    for (size_t i = 0; i < ARRAY_LEN(contenders); i++) {
        const char *name = strrchr(contenders[i].name, '/');
        tallies[i] = measure(kind, &contenders[i], seeds);
        (void)printf("%-10s %8.0f %8.0f %8.0f %6.2f %6.0f %9zu\n",
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
    }
    return missed;
}
