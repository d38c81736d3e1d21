// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "format.h"
#include "stop/halving.h"

#define BANDS_SHOWN 8

static const char *const names[] = {[STOP_HYPERBAND] = "hyperband",
                                    [STOP_ASHA] = "asha",
                                    [STOP_MEDIAN] = "median",
                                    [STOP_HYPERBAND_FULL] = "hyperband_full",
                                    [STOP_BOHB] = "bohb"};

const char *stop_type_name(enum stop_type type)
{
    return names[type];
}

void stop_rule_name(const struct stop_config *config, struct buffer *out)
{
    buffer_puts(out, names[config->type]);
    if (config->min_iter > 0)
        buffer_printf(out, ", min_iter %" PRId64, config->min_iter);
    if (config->max_iter > 0)
        buffer_printf(out, ", max_iter %" PRId64, config->max_iter);
    if (config->s > 0)
        buffer_printf(out, ", s %" PRId64, config->s);
    if (config->type != STOP_MEDIAN)
        buffer_printf(out, ", eta %g", config->eta);
    if (config->brackets > 0)
        buffer_printf(out, ", brackets %" PRId64, config->brackets);
    if ((config->type == STOP_HYPERBAND || config->type == STOP_ASHA) && !config->strict)
        buffer_puts(out, ", not strict");
    if (config->type == STOP_MEDIAN)
        buffer_printf(out, ", min_runs %" PRId64, config->min_runs);
    if (config->grace > 0)
        buffer_printf(out, ", grace %" PRId64, config->grace);
    if (config->max_stops > 0)
        buffer_printf(out, ", max_stops %g", config->max_stops);
    if (config->unit[0] != '\0')
        buffer_printf(out, ", step_metric %s", config->unit);
}

static void write_question(const struct stop_config *config, struct buffer *out)
{
    char judged[STOP_UNIT_SIZE + 32] = "its best so far";
    if (config->strict)
        (void)snprintf(judged, sizeof judged, "its value at that %s", stop_unit(config));
    switch (config->type) {
    case STOP_HYPERBAND:
        buffer_printf(
            out,
            "Of n runs that got to a band, a run goes on unless %s is worse than the value at rank\n"
            "int(n / %g) + 1 there. Ties go on.",
            judged, config->eta);
        break;
    case STOP_ASHA:
        buffer_printf(out,
                      "Of n runs that got to a band, a run goes on when %s is among the best\n"
                      "max(1, int(n / %g)) there. Ties go on.",
                      judged, config->eta);
        break;
    case STOP_MEDIAN:
        buffer_printf(
            out,
            "A run goes on unless its best so far is worse than the median of the running averages of\n"
            "the others that got to the band, at least %" PRId64 " of them. Ties go on.",
            config->min_runs);
        break;
    case STOP_HYPERBAND_FULL:
    case STOP_BOHB:
        buffer_printf(out,
                      "The runs that a bracket starts together are a cohort. A run pauses at each rung of it "
                      "until all of\nthe cohort have come; then the best max(1, int(n / %g)) of n go on and "
                      "the others end there.\nBrackets follow one another, and after the last the first "
                      "begins anew.",
                      config->eta);
        break;
    }
}

void stop_rule_words(const struct stop_config *config, struct buffer *out)
{
    write_question(config, out);
    if (config->grace > 0)
        buffer_printf(out, "\nNo run is stopped below %s %" PRId64 " (grace).", stop_unit(config),
                      config->grace);
    if (config->max_stops > 0)
        buffer_printf(out, "\nAt most %g%% of the runs that got to a band are stopped (max_stops).",
                      100 * config->max_stops);
}

/* Of all runs, when each goes on as far as it may; bands below grace let all pass. */
static void add_share(const struct stop_config *config, size_t judged, struct buffer *out)
{
    buffer_printf(out, "%.3g%%", 100 * pow(config->eta, -(double)judged));
}

/* `judged`: bands up to this one at which runs are stopped. */
static void add_band(struct table *table, const struct stop_config *config, size_t index, int64_t rows,
                     size_t judged)
{
    char text[FORMAT_SIZE];
    struct buffer share CLEANUP(buffer_free) = BUFFER_INIT;
    (void)snprintf(text, sizeof text, "%zu", index + 1);
    table_add(table, text);
    (void)snprintf(text, sizeof text, "%" PRId64, rows);
    table_add(table, text);
    if (rows < config->grace) {
        table_add(table, "all (grace)");
    } else if (config->type == STOP_MEDIAN) {
        table_add(table, "the better half");
    } else {
        (void)snprintf(text, sizeof text, "about 1 of %g", config->eta);
        table_add(table, text);
    }
    if (config->type == STOP_MEDIAN)
        return;
    add_share(config, judged, &share);
    table_add(table, buffer_text(&share));
}

const char *stop_band_head(const struct stop_config *config, char head[STOP_UNIT_SIZE])
{
    if (config->unit[0] == '\0')
        return "ROWS";
    for (size_t i = 0; i < STOP_UNIT_SIZE; i++)
        head[i] = (char)toupper((unsigned char)config->unit[i]);
    return head;
}

/* Rows that the runs of a bracket log, when none of them fails. */
static double bracket_rows(const struct stop_config *config, const struct halving_bracket *bracket)
{
    int64_t bands[STOP_BANDS_MAX], runs = bracket->runs, before = 0;
    size_t count = 0;
    struct err err = ERR_INIT;
    double rows = 0;
    if (stop_bands(config, bands, &count, &err) != STATUS_OK)
        return 0;
    for (size_t i = bracket->first_band; i <= count; i++) {
        int64_t band = i < count ? bands[i] : config->max_iter;
        rows += (double)runs * (double)(band - before);
        before = band;
        runs = halving_keeps(runs, config->eta);
    }
    return rows;
}

/* "81 at 1, 27 at 3, 9 at 9", and how many run to the end. */
static void write_rungs(const struct stop_config *config, const struct halving_bracket *bracket,
                        const int64_t *bands, size_t band_count, struct buffer *out)
{
    int64_t runs = bracket->runs;
    for (size_t i = bracket->first_band; i < band_count; i++) {
        buffer_printf(out, "%" PRId64 " at %" PRId64 ", ", runs, bands[i]);
        runs = halving_keeps(runs, config->eta);
    }
    buffer_printf(out, "%" PRId64 " to %" PRId64, runs, config->max_iter);
}

static void format_brackets(struct arena *arena, const struct stop_config *config,
                            const struct screen *screen, struct buffer *out)
{
    static const struct table_column columns[] = {
        {"BRACKET", true}, {"RUNS", true}, {"OF ALL", true}, {"RUNS AT THEIR RUNGS", false}};
    struct halving_bracket brackets[HALVING_BRACKETS_MAX];
    int64_t bands[STOP_BANDS_MAX];
    size_t count = 0, band_count = 0;
    struct err err = ERR_INIT;
    if (halving_brackets(config, brackets, &count, &err) != STATUS_OK ||
        stop_bands(config, bands, &band_count, &err) != STATUS_OK)
        return;
    struct table table = table_make(arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < count; i++) {
        struct buffer rungs CLEANUP(buffer_free) = BUFFER_INIT;
        char text[FORMAT_SIZE];
        (void)snprintf(text, sizeof text, "%" PRId64, brackets[i].s);
        table_add(&table, text);
        (void)snprintf(text, sizeof text, "%" PRId64, brackets[i].runs);
        table_add(&table, text);
        (void)snprintf(text, sizeof text, "%.0f", bracket_rows(config, &brackets[i]));
        table_add(&table, text);
        write_rungs(config, &brackets[i], bands, band_count, &rungs);
        table_add(&table, buffer_text(&rungs));
    }
    stop_rule_words(config, out);
    buffer_putc(out, '\n');
    table_format(&table, screen, out);
}

void stop_table_format(struct arena *arena, const struct stop_config *config, const struct screen *screen,
                       struct buffer *out)
{
    if (stop_type_pauses(config->type)) {
        format_brackets(arena, config, screen, out);
        return;
    }
    char head[STOP_UNIT_SIZE];
    const struct table_column columns[] = {
        {"BAND", true}, {stop_band_head(config, head), true}, {"GO ON", false}, {"OF ALL, ABOUT", true}};
    int64_t bands[STOP_BANDS_MAX];
    size_t count = 0;
    struct err err = ERR_INIT;
    if (stop_bands(config, bands, &count, &err) != STATUS_OK)
        return;
    struct table table = table_make(arena, columns, ARRAY_LEN(columns) - (config->type == STOP_MEDIAN));
    size_t judged = 0;
    for (size_t i = 0; i < count && i < BANDS_SHOWN; i++) {
        judged += bands[i] >= config->grace;
        add_band(&table, config, i, bands[i], judged);
    }
    stop_rule_words(config, out);
    buffer_putc(out, '\n');
    table_format(&table, screen, out);
    if (count > BANDS_SHOWN)
        buffer_printf(out, "and %zu more, the last at %s %" PRId64 "\n", count - BANDS_SHOWN,
                      stop_unit(config), bands[count - 1]);
}

static void write_rows(const struct stop_config *config, struct buffer *out)
{
    int64_t bands[STOP_BANDS_MAX];
    size_t count = 0;
    struct err err = ERR_INIT;
    if (stop_bands(config, bands, &count, &err) != STATUS_OK)
        return;
    for (size_t i = 0; i < count && i < BANDS_SHOWN; i++)
        buffer_printf(out, "%s%" PRId64, i > 0 ? ", " : "", bands[i]);
    if (count > BANDS_SHOWN)
        buffer_puts(out, ", ...");
}

void stop_table_print(struct arena *arena, const struct spec *spec)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct buffer rows CLEANUP(buffer_free) = BUFFER_INIT, name CLEANUP(buffer_free) = BUFFER_INIT;
    const struct screen screen = screen_look(stdout);
    if (!spec->has_early_terminate)
        return;
    write_rows(&spec->early_terminate, &rows);
    stop_rule_name(&spec->early_terminate, &name);
    if (spec->step_metric != NULL)
        cli_say("Early termination at %s: %s (%s)", text_clean(arena, spec->step_metric), buffer_text(&rows),
                buffer_text(&name));
    else
        cli_say("Early termination after logged rows: %s (%s)", buffer_text(&rows), buffer_text(&name));
    stop_table_format(arena, &spec->early_terminate, &screen, &text);
    (void)fputs(buffer_text(&text), stdout);
    (void)fflush(stdout);
}
