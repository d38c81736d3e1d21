// SPDX-License-Identifier: GPL-3.0-or-later
/* Brackets of Hyperband and the verdicts on their cohorts, also against a brute-force reading of the rule. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/random.h"
#include "stop/halving.h"

static struct stop_config config_of(int64_t min_iter, int64_t max_iter, double eta, int64_t brackets)
{
    return (struct stop_config){.type = STOP_HYPERBAND_FULL,
                                .min_iter = min_iter,
                                .max_iter = max_iter,
                                .eta = eta,
                                .brackets = brackets};
}

static struct halving *new_halving(int64_t min_iter, int64_t max_iter, double eta, bool maximize)
{
    const struct stop_config config = config_of(min_iter, max_iter, eta, 0);
    struct halving *halving = NULL;
    struct err err = ERR_INIT;
    if (halving_new(&config, maximize, &halving, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return halving;
}

static struct halving_decision observe(struct halving *halving, int64_t ordinal, size_t band, double value)
{
    struct halving_decision decision;
    struct err err = ERR_INIT;
    char run[24];
    (void)snprintf(run, sizeof run, "r%lld", (long long)ordinal);
    if (halving_observe(halving, ordinal, run, band, value, &decision, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return decision;
}

static void end(struct halving *halving, int64_t ordinal, double value)
{
    struct err err = ERR_INIT;
    if (halving_end(halving, ordinal, "", value, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void close_at(struct halving *halving, int64_t ordinal)
{
    struct err err = ERR_INIT;
    if (halving_close(halving, ordinal, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static size_t count_promoted(const struct halving *halving)
{
    size_t count, promoted = 0;
    const struct halving_verdict *verdicts = halving_verdicts(halving, &count);
    for (size_t i = 0; i < count; i++)
        promoted += verdicts[i].promoted;
    return promoted;
}

static size_t count_verdicts(const struct halving *halving)
{
    size_t count;
    (void)halving_verdicts(halving, &count);
    return count;
}

/* ---- the plan ---- */

/* Table 1 of the paper: R = 81, eta = 3. */
static void test_the_brackets_of_the_paper(void **state)
{
    (void)state;
    static const int64_t runs[] = {81, 34, 15, 8, 5};
    const struct stop_config config = config_of(1, 81, 3, 0);
    struct halving_bracket brackets[HALVING_BRACKETS_MAX];
    struct err err = ERR_INIT;
    size_t count;
    assert_int_equal(halving_brackets(&config, brackets, &count, &err), STATUS_OK);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(brackets[i].s, 4 - i);
        assert_int_equal(brackets[i].runs, runs[i]);
        assert_int_equal(brackets[i].first_band, i);
    }
}

static void assert_bands(const struct stop_config *config, const int64_t *wanted, size_t wanted_count)
{
    int64_t bands[STOP_BANDS_MAX];
    struct err err = ERR_INIT;
    size_t count;
    if (stop_bands(config, bands, &count, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(count, wanted_count);
    assert_memory_equal(bands, wanted, count * sizeof bands[0]);
}

static void test_rungs(void **state)
{
    (void)state;
    const struct stop_config whole = config_of(1, 81, 3, 0), odd = config_of(2, 100, 3, 0),
                             half = config_of(1, 20, 2.5, 0), exact = config_of(1, 243, 3, 2);
    assert_bands(&whole, (int64_t[]){1, 3, 9, 27}, 4);
    assert_bands(&odd, (int64_t[]){3, 11, 33}, 3);
    assert_bands(&half, (int64_t[]){1, 3, 8}, 3);
    assert_bands(&exact, (int64_t[]){1, 3, 9, 27, 81}, 5);
}

static void assert_refused(const struct stop_config *config, const char *why)
{
    struct halving *halving = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(halving_new(config, false, &halving, &err), STATUS_INVALID);
    assert_null(halving);
    if (strstr(err.text, why) == NULL)
        fail_msg("%s", err.text);
}

static void test_refusals(void **state)
{
    (void)state;
    const struct stop_config flat = config_of(1, 2, 3, 0), slow = config_of(1, 81, 1.5, 0),
                             many = config_of(1, 81, 3, 6);
    struct stop_config other = config_of(1, 81, 3, 0);
    other.type = STOP_ASHA;
    assert_refused(&flat, "at least eta times min_iter");
    assert_refused(&slow, "eta must be at least 2");
    assert_refused(&many, "brackets: there are 5");
    assert_refused(&other, "has no brackets");
    struct stop_rule *rule = NULL;
    struct err err = ERR_INIT;
    const struct stop_config right = config_of(1, 81, 3, 0);
    assert_int_equal(stop_rule_new(&right, false, &rule, &err), STATUS_INVALID);
}

/* ---- verdicts; R = 9, eta = 3: brackets of 9 (rungs 1, 3), 5 (rung 3) and 3 (none) ---- */

static void test_a_cohort_waits_for_all_of_it(void **state)
{
    (void)state;
    struct halving *halving = new_halving(1, 9, 3, false);
    for (int64_t i = 0; i < 8; i++) {
        struct halving_decision decision = observe(halving, i, 0, (double)i);
        assert_int_equal(decision.answer, HALVING_WAITS);
        assert_int_equal(decision.planned, 9);
        assert_int_equal(decision.arrived, i + 1);
        assert_int_equal(decision.keeps, 3);
        assert_int_equal(count_verdicts(halving), 0);
    }
    struct halving_decision last = observe(halving, 8, 0, 0.5);
    assert_int_equal(last.answer, HALVING_PROMOTED);
    assert_int_equal(last.rank, 2);
    assert_true(last.threshold == 1);
    size_t count;
    const struct halving_verdict *verdicts = halving_verdicts(halving, &count);
    static const int64_t order[] = {0, 8, 1, 2, 3, 4, 5, 6, 7};
    assert_int_equal(count, 9);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(verdicts[i].ordinal, order[i]);
        assert_int_equal(verdicts[i].promoted, i < 3);
        assert_int_equal(verdicts[i].rank, i + 1);
        assert_int_equal(verdicts[i].band, 1);
    }
    assert_string_equal(verdicts[1].run, "r8");
    assert_int_equal(observe(halving, 4, 1, 0).answer, HALVING_OUT);
    assert_int_equal(observe(halving, 0, 1, 5).answer, HALVING_WAITS);
    assert_int_equal(observe(halving, 1, 1, 4).planned, 3);
    assert_int_equal(observe(halving, 8, 1, 3).answer, HALVING_PROMOTED);
    assert_int_equal(count_promoted(halving), 1);
    halving_free(halving);
}

static void test_later_brackets_have_fewer_rungs(void **state)
{
    (void)state;
    struct halving *halving = new_halving(1, 9, 3, true);
    assert_int_equal(observe(halving, 9, 0, 1).answer, HALVING_NO_RUNG);
    assert_int_equal(observe(halving, 9, 1, 1).answer, HALVING_WAITS);
    assert_int_equal(observe(halving, 9, 1, 1).planned, 5);
    assert_int_equal(observe(halving, 14, 1, 1).answer, HALVING_NO_RUNG);
    assert_int_equal(observe(halving, 17, 0, 1).cohort, 17);
    for (int64_t i = 10; i < 13; i++)
        (void)observe(halving, i, 1, (double)i);
    struct halving_decision last = observe(halving, 13, 1, 0);
    assert_int_equal(last.answer, HALVING_OUT);
    assert_true(last.threshold == 12);
    halving_free(halving);
}

static void test_failures_are_worst_and_never_go_on(void **state)
{
    (void)state;
    struct halving *halving = new_halving(1, 9, 3, false);
    for (int64_t i = 0; i < 6; i++)
        end(halving, i, NAN);
    (void)observe(halving, 6, 0, 3);
    end(halving, 6, NAN); /* failed while it waited */
    (void)observe(halving, 7, 0, 2);
    struct halving_decision last = observe(halving, 8, 0, 9);
    assert_int_equal(last.answer, HALVING_PROMOTED);
    assert_int_equal(count_promoted(halving), 2);
    assert_true(last.threshold == 9);
    end(halving, 7, NAN);
    assert_int_equal(observe(halving, 8, 1, 1).answer, HALVING_PROMOTED);
    halving_free(halving);
    halving = new_halving(1, 9, 3, false);
    for (int64_t i = 0; i < 9; i++)
        end(halving, i, NAN);
    assert_int_equal(count_verdicts(halving), 9);
    assert_int_equal(count_promoted(halving), 0);
    halving_free(halving);
}

static void test_what_has_finished_keeps_its_place(void **state)
{
    (void)state;
    struct halving *halving = new_halving(1, 9, 3, false);
    (void)observe(halving, 0, 0, 1);
    end(halving, 0, 0.5); /* best of what it logged: its value at the rung counts */
    end(halving, 1, 2);   /* no value there: its objective does */
    for (int64_t i = 2; i < 9; i++)
        (void)observe(halving, i, 0, (double)i + 0.5);
    size_t count;
    const struct halving_verdict *verdicts = halving_verdicts(halving, &count);
    assert_int_equal(count, 9);
    assert_true(verdicts[0].ordinal == 0 && verdicts[0].value == 1);
    assert_true(verdicts[1].ordinal == 1 && verdicts[1].value == 2 && verdicts[1].promoted);
    assert_int_equal(observe(halving, 2, 1, 0.7).answer, HALVING_OUT); /* 0 counts with 0.5 */
    halving_free(halving);
}

static void test_a_closing_cuts_the_last_cohort(void **state)
{
    (void)state;
    struct halving *halving = new_halving(1, 9, 3, false);
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(observe(halving, i, 0, (double)i).answer, HALVING_WAITS);
    close_at(halving, 4);
    assert_int_equal(count_verdicts(halving), 4);
    assert_int_equal(count_promoted(halving), 1);
    close_at(halving, 4);
    assert_int_equal(count_verdicts(halving), 0);
    assert_int_equal(observe(halving, 4, 0, 1).cohort, 4); /* an update brought more: s_max begins anew */
    assert_int_equal(observe(halving, 4, 0, 1).planned, 9);
    close_at(halving, 6);
    assert_int_equal(observe(halving, 5, 0, 2).answer, HALVING_OUT);
    assert_int_equal(observe(halving, 4, 1, 1).answer, HALVING_PROMOTED); /* alone: at least one goes on */
    halving_free(halving);
}

static void test_one_that_comes_back_counts_again(void **state)
{
    (void)state;
    struct halving *halving = new_halving(1, 9, 3, false);
    end(halving, 0, NAN);
    assert_int_equal(observe(halving, 0, 0, 0).answer, HALVING_WAITS);
    for (int64_t i = 1; i < 9; i++)
        (void)observe(halving, i, 0, 1);
    size_t count;
    assert_int_equal(halving_verdicts(halving, &count)[0].ordinal, 0);
    halving_free(halving);
}

/* ---- against brute force ---- */

#define RUNS 120
#define RUNGS 8

struct reading {
    const struct stop_config *config;
    size_t band_count;
    double losses[RUNS][RUNGS];
    bool ended[RUNS], out[RUNS];
    double final[RUNS];
    size_t level[RUNS];
    int64_t closings[RUNS];
    size_t closing_count;
    size_t verdicts, promoted;
};

/* The bracket, first ordinal and size of the cohort of an ordinal, by dealing from the start. */
static void deal(const struct reading *reading, int64_t ordinal, size_t *first_band, int64_t *first,
                 int64_t *runs)
{
    struct halving_bracket brackets[HALVING_BRACKETS_MAX];
    struct err err = ERR_INIT;
    size_t count, bracket = 0, closing = 0;
    assert_int_equal(halving_brackets(reading->config, brackets, &count, &err), STATUS_OK);
    for (*first = 0;; *first += *runs, bracket = (bracket + 1) % count) {
        *runs = brackets[bracket].runs;
        int64_t limit = closing < reading->closing_count ? reading->closings[closing] : INT64_MAX;
        bool cut = *first + *runs >= limit;
        if (cut)
            *runs = limit - *first;
        if (ordinal < *first + *runs)
            break;
        if (cut) {
            bracket = count - 1;
            closing++;
        }
    }
    *first_band = brackets[bracket].first_band;
}

static double naive_loss(const struct reading *reading, int64_t i, size_t rung)
{
    if (reading->ended[i] && isnan(reading->final[i]))
        return INFINITY;
    return isnan(reading->losses[i][rung]) ? reading->final[i] : reading->losses[i][rung];
}

static bool naive_verdict(struct reading *reading, int64_t first, int64_t runs, size_t band)
{
    int64_t awaited = 0, better, kept = 0;
    for (int64_t i = first; i < first + runs; i++) {
        if (i >= RUNS)
            return false;
        bool waits = !reading->out[i] && reading->level[i] == band;
        if (waits && !reading->ended[i] && isnan(reading->losses[i][band]))
            return false;
        if (!reading->out[i] && reading->level[i] < band)
            return false;
        awaited += waits;
    }
    if (awaited == 0)
        return false;
    int64_t keeps = (int64_t)((double)awaited / reading->config->eta);
    keeps = keeps < 1 ? 1 : keeps;
    bool goes_on[RUNS] = {false};
    for (int64_t i = first; i < first + runs; i++) {
        double loss = naive_loss(reading, i, band);
        better = 0;
        for (int64_t k = first; k < first + runs; k++)
            better +=
                !reading->out[k] && reading->level[k] == band &&
                (naive_loss(reading, k, band) < loss || (naive_loss(reading, k, band) == loss && k < i));
        goes_on[i] = !reading->out[i] && reading->level[i] == band && better < keeps && isfinite(loss);
    }
    for (int64_t i = first; i < first + runs; i++) {
        reading->verdicts += !reading->out[i] && reading->level[i] == band;
        reading->out[i] |= reading->level[i] == band && !goes_on[i];
        reading->level[i] += goes_on[i];
        kept += goes_on[i];
    }
    reading->promoted += (size_t)kept;
    return true;
}

static void naive_settle(struct reading *reading)
{
    size_t first_band;
    int64_t first, runs;
    for (int64_t i = 0; i < RUNS; i = first + runs) {
        deal(reading, i, &first_band, &first, &runs);
        for (size_t band = first_band; band < reading->band_count; band++)
            if (naive_verdict(reading, first, runs, band))
                band = first_band - 1; /* look again from the start */
    }
}

struct trial {
    struct halving *halving;
    struct reading reading;
    uint64_t seed;
    uint32_t drawn;
};

static double draw(struct trial *trial)
{
    return random_draw_unit(trial->seed, 0, "halving", trial->drawn++);
}

static void assert_same(struct trial *trial, uint64_t seed, size_t before, size_t before_promoted)
{
    size_t count;
    const struct halving_verdict *verdicts = halving_verdicts(trial->halving, &count);
    naive_settle(&trial->reading);
    if (count != trial->reading.verdicts - before ||
        count_promoted(trial->halving) != trial->reading.promoted - before_promoted)
        fail_msg("seed %llu: %zu verdicts, %zu by brute force", (unsigned long long)seed, count,
                 trial->reading.verdicts - before);
    for (size_t i = 0; i < count; i++) {
        size_t place = (size_t)verdicts[i].ordinal;
        bool promoted = trial->reading.level[place] > verdicts[i].band_index;
        if (promoted != verdicts[i].promoted)
            fail_msg("seed %llu: ordinal %zu at band %zu", (unsigned long long)seed, place,
                     verdicts[i].band_index);
    }
}

/* Brings the run of an ordinal one event on: mostly to its next rung, sometimes to an end, or beyond a rung.
 */
static void step(struct trial *trial, int64_t i, uint64_t seed)
{
    struct reading *reading = &trial->reading;
    size_t before = reading->verdicts, before_promoted = reading->promoted;
    double chance = draw(trial);
    double value = floor(draw(trial) * 12); /* ties */
    size_t band = reading->level[i];
    while (band < reading->band_count && !isnan(reading->losses[i][band]))
        band++;
    if (reading->ended[i] || (band > reading->level[i] && chance < 0.9))
        return;
    if (chance < 0.12 || band == reading->band_count) {
        reading->ended[i] = true;
        reading->final[i] = chance < 0.06 ? NAN : value;
        end(trial->halving, i, reading->final[i]);
    } else {
        reading->losses[i][band] = value;
        (void)observe(trial->halving, i, band, value);
    }
    assert_same(trial, seed, before, before_promoted);
}

static void close_trial(struct trial *trial, int64_t ordinal, uint64_t seed)
{
    struct reading *reading = &trial->reading;
    size_t before = reading->verdicts, before_promoted = reading->promoted;
    reading->closings[reading->closing_count++] = ordinal;
    close_at(trial->halving, ordinal);
    assert_same(trial, seed, before, before_promoted);
}

static void prepare(struct reading *reading, const struct stop_config *config)
{
    int64_t bands[STOP_BANDS_MAX];
    struct err err = ERR_INIT;
    *reading = (struct reading){.config = config};
    assert_int_equal(stop_bands(config, bands, &reading->band_count, &err), STATUS_OK);
    for (int64_t i = 0; i < RUNS; i++) {
        size_t first_band;
        int64_t first, runs;
        reading->final[i] = NAN;
        for (size_t k = 0; k < RUNGS; k++)
            reading->losses[i][k] = NAN;
        deal(reading, i, &first_band, &first, &runs);
        reading->level[i] = first_band;
    }
}

/* Runs after a closing are dealt anew. */
static void deal_again(struct reading *reading, int64_t from)
{
    for (int64_t i = from; i < RUNS; i++) {
        int64_t first, runs;
        deal(reading, i, &reading->level[i], &first, &runs);
    }
}

static void run_trial(uint64_t seed)
{
    static const double etas[] = {2, 3, 2.5};
    static const int64_t lengths[] = {9, 27, 16};
    struct trial trial = {.seed = seed};
    size_t kind = (size_t)(draw(&trial) * 3);
    const struct stop_config config = config_of(1, lengths[kind], etas[kind], seed % 4 == 0 ? 2 : 0);
    struct err err = ERR_INIT;
    assert_int_equal(halving_new(&config, false, &trial.halving, &err), STATUS_OK);
    prepare(&trial.reading, &config);
    int64_t closing = 1 + (int64_t)(draw(&trial) * (RUNS - 1));
    for (int round = 0; round < 6 * RUNS; round++)
        step(&trial, (int64_t)(draw(&trial) * (double)closing), seed);
    close_trial(&trial, closing, seed);
    deal_again(&trial.reading, closing);
    for (int round = 0; round < 12 * RUNS; round++)
        step(&trial, (int64_t)(draw(&trial) * RUNS), seed);
    halving_free(trial.halving);
}

static void test_the_same_as_by_brute_force(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_trial(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_brackets_of_the_paper),
        cmocka_unit_test(test_rungs),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_cohort_waits_for_all_of_it),
        cmocka_unit_test(test_later_brackets_have_fewer_rungs),
        cmocka_unit_test(test_failures_are_worst_and_never_go_on),
        cmocka_unit_test(test_what_has_finished_keeps_its_place),
        cmocka_unit_test(test_a_closing_cuts_the_last_cohort),
        cmocka_unit_test(test_one_that_comes_back_counts_again),
        cmocka_unit_test(test_the_same_as_by_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
