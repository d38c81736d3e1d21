// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "savings.h"
#include "stop_table.h"
#include "table.h"

#define LOOK_MS 1000
#define UNREACHED_SHOWN 2
#define HEIGHTS 8

struct brackets_options {
    struct connection_options connection;
    bool json;
    bool watch;
};

/* One look at a sweep. */
struct look {
    Besom__V1__GetSweepResponse *sweep;  /* owned */
    Besom__V1__ListBandsResponse *bands; /* owned */
    struct spec *spec;                   /* owned; has a rule */
};

static void look_release(struct look *look)
{
    besom_message_free(look->sweep);
    besom_message_free(look->bands);
    spec_free(look->spec);
    *look = (struct look){.sweep = NULL};
}

static int look_at(besom_client *client, const char *sweep_id, struct look *out)
{
    Besom__V1__ListBandsRequest bands = BESOM__V1__LIST_BANDS_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    struct err err = ERR_INIT;
    *out = (struct look){.sweep = NULL};
    bands.sweep_id = message_text(sweep_id);
    int code = resolve_read(client, sweep_id, &out->sweep);
    if (code != CLI_OK)
        return code;
    if (besom_band_list(client, &bands, &out->bands, &error) != BESOM_OK)
        return connection_fail(&error, "cannot read the bands of sweep %s", sweep_id);
    const char *json = out->sweep->sweep->spec_json;
    if (out->sweep->sweep->n_bands == 0)
        return cli_fail(
            CLI_FAILED,
            "sweep %s stops no run early: its file has no early_terminate (besom replay tells what "
            "a rule would have done)",
            sweep_id);
    if (spec_from_canonical_json(json, strlen(json), &out->spec, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot read the rule of sweep %s", sweep_id);
    return CLI_OK;
}

/* ---- JSON ---- */

static json_t *threshold_json(const Besom__V1__Band *band, double threshold)
{
    return band->decisions > 0 ? entity_number_json(threshold) : json_null();
}

static json_t *course_json(const Besom__V1__Band *band)
{
    json_t *course = json_array();
    for (size_t i = 0; i < band->n_course; i++)
        json_array_append_new(course,
                              json_pack("{s:I,s:o,s:I}", "reached", (json_int_t)band->course[i]->reached,
                                        "threshold", entity_number_json(band->course[i]->value), "decided_us",
                                        (json_int_t)band->course[i]->decided_us));
    return course;
}

static json_t *band_json(const Besom__V1__Band *band)
{
    json_t *spared =
        json_pack("{s:I,s:I,s:I}", "too_few", (json_int_t)band->spared_too_few, "grace",
                  (json_int_t)band->spared_grace, "max_stops", (json_int_t)band->spared_max_stops);
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:o,s:o,s:o,s:o}", "band", (json_int_t)band->band,
                     "reached", (json_int_t)band->reached, "went_on", (json_int_t)band->went_on, "stopped",
                     (json_int_t)band->stopped, "outrun", (json_int_t)band->outrun, "undecided",
                     (json_int_t)(band->reached - band->went_on - band->stopped), "spared", spared,
                     "decisions", (json_int_t)band->decisions, "threshold",
                     threshold_json(band, band->last_threshold), "first_threshold",
                     threshold_json(band, band->first_threshold), "median_threshold",
                     threshold_json(band, band->median_threshold), "course", course_json(band));
}

/* Bands that a run reached, then those that none has. */
static json_t *bands_json(const struct look *look)
{
    const Besom__V1__Sweep *sweep = look->sweep->sweep;
    json_t *bands = json_array();
    for (size_t i = 0; i < look->bands->n_bands; i++)
        json_array_append_new(bands, band_json(look->bands->bands[i]));
    for (size_t i = look->bands->n_bands; i < sweep->n_bands; i++) {
        Besom__V1__Band unreached = BESOM__V1__BAND__INIT;
        unreached.band = sweep->bands[i];
        json_array_append_new(bands, band_json(&unreached));
    }
    return bands;
}

static json_t *cohorts_json(const struct look *look)
{
    json_t *cohorts = json_array();
    for (size_t i = 0; i < look->bands->n_cohorts; i++) {
        const Besom__V1__CohortRung *rung = look->bands->cohorts[i];
        json_array_append_new(
            cohorts,
            json_pack("{s:I,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I}", "cohort", (json_int_t)rung->cohort,
                      "bracket", (int)rung->bracket, "band", (json_int_t)rung->band, "planned",
                      (json_int_t)rung->planned, "reached", (json_int_t)rung->reached, "ended",
                      (json_int_t)rung->ended, "paused", (json_int_t)rung->paused, "promoted",
                      (json_int_t)rung->promoted, "stopped", (json_int_t)rung->stopped, "threshold",
                      entity_number_json(rung->threshold), "decided_us", (json_int_t)rung->decided_us));
    }
    return cohorts;
}

static int print_json(const struct look *look)
{
    const Besom__V1__Sweep *sweep = look->sweep->sweep;
    json_t *spec = entity_parsed_json(sweep->spec_json);
    json_t *rule = json_incref(json_object_get(spec, "early_terminate"));
    json_decref(spec);
    return entity_print_json(json_pack(
        "{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:I,s:o}", "sweep_id", sweep->sweep_id, "state",
        entity_sweep_state(sweep->state), "metric", sweep->metric, "goal",
        sweep->maximize ? "maximize" : "minimize", "early_terminate", rule != NULL ? rule : json_null(),
        "bands", bands_json(look), "cohorts", cohorts_json(look), "run_time_ms",
        (json_int_t)sweep->run_time_ms, "savings", savings_json(look->bands->savings)));
}

/* ---- text ---- */

static void add_count(struct table *table, int64_t count)
{
    char text[FORMAT_SIZE];
    (void)snprintf(text, sizeof text, "%" PRId64, count);
    table_add(table, text);
}

static void add_stopped(struct table *table, const Besom__V1__Band *band)
{
    char text[80];
    if (band->outrun > 0)
        (void)snprintf(text, sizeof text, "%" PRId64 " (%" PRId64 " had ended)", band->stopped, band->outrun);
    else
        (void)snprintf(text, sizeof text, "%" PRId64, band->stopped);
    table_add_styled(table, text, band->stopped > 0 ? STYLE_WARN : STYLE_PLAIN);
}

static void add_spared(struct table *table, const Besom__V1__Band *band)
{
    const struct {
        int64_t count;
        const char *why;
    } reasons[] = {{band->spared_too_few, "min_runs"},
                   {band->spared_grace, "grace"},
                   {band->spared_max_stops, "max_stops"}};
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].count > 0)
            buffer_printf(&text, "%s%" PRId64 " (%s)", text.length > 0 ? ", " : "", reasons[i].count,
                          reasons[i].why);
    table_add(table, text.length > 0 ? buffer_text(&text) : "-");
}

static void add_threshold(struct table *table, const Besom__V1__Band *band, double threshold)
{
    char text[FORMAT_SIZE];
    table_add(table, band->decisions > 0 ? format_number(threshold, text) : "-");
}

/* Eight heights between the least and the greatest threshold. */
static void add_course(struct table *table, const Besom__V1__Band *band)
{
    static const char *const heights[HEIGHTS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    double least = HUGE_VAL, greatest = -HUGE_VAL;
    for (size_t i = 0; i < band->n_course; i++) {
        least = fmin(least, band->course[i]->value);
        greatest = fmax(greatest, band->course[i]->value);
    }
    for (size_t i = 0; i < band->n_course; i++) {
        double share = greatest > least ? (band->course[i]->value - least) / (greatest - least) : 0;
        size_t height = share >= 0 && share <= 1 ? (size_t)(share * (HEIGHTS - 1) + 0.5) : 0;
        buffer_puts(&text, heights[height]);
    }
    table_add(table, buffer_text(&text));
}

static void add_band(struct table *table, const Besom__V1__Band *band, bool course)
{
    add_count(table, band->band);
    add_count(table, band->reached);
    add_count(table, band->went_on);
    add_stopped(table, band);
    add_spared(table, band);
    add_threshold(table, band, band->last_threshold);
    add_threshold(table, band, band->first_threshold);
    add_threshold(table, band, band->median_threshold);
    if (course)
        add_course(table, band);
}

static void format_bands(struct arena *arena, const struct look *look, const struct screen *screen,
                         struct buffer *out)
{
    char head[STOP_UNIT_SIZE];
    const struct table_column columns[] = {
        {stop_band_head(&look->spec->early_terminate, head), true},
        {"REACHED", true},
        {"WENT ON", true},
        {"STOPPED", false},
        {"SPARED", false},
        {"NOW", true},
        {"AT FIRST", true},
        {"MEDIAN", true},
        {"COURSE", false},
    };
    const Besom__V1__Sweep *sweep = look->sweep->sweep;
    bool course = screen->is_terminal;
    struct table table = table_make(arena, columns, ARRAY_LEN(columns) - !course);
    size_t shown = look->bands->n_bands;
    for (size_t i = 0; i < shown; i++)
        add_band(&table, look->bands->bands[i], course);
    for (size_t i = 0; shown < sweep->n_bands && i < UNREACHED_SHOWN; i++, shown++) {
        Besom__V1__Band unreached = BESOM__V1__BAND__INIT;
        unreached.band = sweep->bands[shown];
        add_band(&table, &unreached, course);
    }
    table_format(&table, screen, out);
    if (shown < sweep->n_bands)
        buffer_printf(out, "and %zu more that no run has reached\n", sweep->n_bands - shown);
}

/* Of sweeps whose runs pause: each cohort at the rungs that it got to. */
static void format_cohorts(struct arena *arena, const struct look *look, const struct screen *screen,
                           struct buffer *out)
{
    char head[STOP_UNIT_SIZE];
    const struct table_column columns[] = {
        {"FROM RUN", true}, {"BRACKET", true}, {stop_band_head(&look->spec->early_terminate, head), true},
        {"RUNS", true},     {"REACHED", true}, {"ENDED", true},
        {"PAUSED", true},   {"WENT ON", true}, {"STOPPED", true},
        {"THRESHOLD", true}};
    struct table table = table_make(arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < look->bands->n_cohorts; i++) {
        const Besom__V1__CohortRung *rung = look->bands->cohorts[i];
        char text[FORMAT_SIZE];
        add_count(&table, rung->cohort);
        add_count(&table, rung->bracket);
        add_count(&table, rung->band);
        add_count(&table, rung->planned);
        add_count(&table, rung->reached);
        add_count(&table, rung->ended);
        add_count(&table, rung->paused);
        add_count(&table, rung->promoted);
        add_count(&table, rung->stopped);
        table_add(&table, rung->decided_us == 0    ? "waits"
                          : isnan(rung->threshold) ? "-"
                                                   : format_number(rung->threshold, text));
    }
    table_format(&table, screen, out);
}

static void format_look(struct arena *arena, const struct look *look, const struct screen *screen,
                        struct buffer *out)
{
    const Besom__V1__Sweep *sweep = look->sweep->sweep;
    int64_t undecided = 0;
    for (size_t i = 0; i < look->bands->n_bands; i++) {
        const Besom__V1__Band *band = look->bands->bands[i];
        undecided += band->reached - band->went_on - band->stopped;
    }
    buffer_printf(out, "%s  %s  ", sweep->sweep_id, entity_sweep_state(sweep->state));
    stop_rule_name(&look->spec->early_terminate, out);
    buffer_printf(out, "  (%s %s)\n", sweep->maximize ? "maximize" : "minimize",
                  text_clean(arena, sweep->metric));
    stop_rule_words(&look->spec->early_terminate, out);
    buffer_puts(out, "\n\n");
    if (stop_type_pauses(look->spec->early_terminate.type))
        format_cohorts(arena, look, screen, out);
    else
        format_bands(arena, look, screen, out);
    if (undecided > 0)
        buffer_printf(out, "%" PRId64 " values are not decided yet\n", undecided);
    buffer_putc(out, '\n');
    savings_format(look->bands->savings, sweep->run_time_ms, out);
    buffer_putc(out, '\n');
}

static void print_look(const struct look *look)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    const struct screen screen = screen_look(stdout);
    format_look(&arena, look, &screen, &text);
    (void)fputs(buffer_text(&text), stdout);
    (void)fflush(stdout);
}

/* ---- again and again ---- */

/* Whether the bands differ from those of the look before, which `last` holds as bytes. */
static bool has_changed(const struct look *look, struct buffer *last)
{
    struct buffer now CLEANUP(buffer_free) = BUFFER_INIT;
    ProtobufCBufferSimple packed = PROTOBUF_C_BUFFER_SIMPLE_INIT((uint8_t[256]){0});
    (void)protobuf_c_message_pack_to_buffer(&look->bands->base, &packed.base);
    buffer_append(&now, packed.data, packed.len);
    PROTOBUF_C_BUFFER_SIMPLE_CLEAR(&packed);
    bool same = now.length == last->length && now.length > 0 && memcmp(now.data, last->data, now.length) == 0;
    buffer_clear(last);
    buffer_append(last, now.data, now.length);
    return !same;
}

/* On a terminal in place, elsewhere once more when the bands have changed. */
static int follow(const struct brackets_options *options, besom_client *client, const char *sweep_id)
{
    struct buffer last CLEANUP(buffer_free) = BUFFER_INIT;
    const bool is_terminal = screen_look(stdout).is_terminal && !options->json;
    for (;;) {
        struct look look CLEANUP(look_release) = {.sweep = NULL};
        int code = look_at(client, sweep_id, &look);
        if (code != CLI_OK)
            return code;
        bool ended = entity_sweep_has_ended(look.sweep->sweep);
        bool changed = has_changed(&look, &last);
        if (is_terminal)
            (void)fputs("\033[H\033[J", stdout);
        if (options->json && (changed || ended))
            (void)print_json(&look);
        else if (changed || ended || is_terminal)
            print_look(&look);
        if (ended || ferror(stdout))
            return ended ? CLI_OK : CLI_FAILED;
        (void)poll(NULL, 0, LOOK_MS);
    }
}

static int run_brackets(struct cli *cli, void *given)
{
    const struct brackets_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    const char *sweep_id = NULL;
    int code = resolve_sweep(&options->connection, cli->given->arguments[0], &client, &sweep_id);
    if (code != CLI_OK)
        return code;
    if (options->watch)
        return follow(options, client, sweep_id);
    struct look look CLEANUP(look_release) = {.sweep = NULL};
    code = look_at(client, sweep_id, &look);
    if (code != CLI_OK)
        return code;
    if (options->json)
        return print_json(&look);
    print_look(&look);
    return CLI_OK;
}

static const struct config_key keys[] = {
    {.name = "watch",
     .letter = 'w',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct brackets_options, watch),
     .help = "look again every second until the sweep has ended"},
    JSON_KEY(struct brackets_options),
    CONNECTION_KEYS(struct brackets_options),
};

const struct cli_command cmd_brackets = {
    .name = "brackets",
    .group = "Look",
    .usage = "besom brackets [--watch] SWEEP",
    .summary =
        "Show what early stopping did at each band of a sweep\n"
        "For each band its row (or epoch, as step_metric says), how many runs reached it, went on and were\n"
        "stopped, who was spared and why, and the threshold: now, at first, its median and, on a terminal,\n"
        "its course. Where runs pause at rungs (hyperband_full, bohb), for each cohort, by its first run, "
        "and\n"
        "each of its rungs: the runs that are awaited, have come, ended before and are paused now, and the\n"
        "verdict.",
    .footer = "besom why RUN tells the decisions about one run.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct brackets_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_brackets,
};
