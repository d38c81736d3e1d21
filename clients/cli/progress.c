// SPDX-License-Identifier: GPL-3.0-or-later
#include "progress.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "entity.h"
#include "format.h"
#include "savings.h"

#define BAR_WIDTH 32
#define LINES_AROUND_RUNS 8 /* everything but the table's rows */
#define RUNS_WITHOUT_SCREEN 20

void progress_format_bar(int64_t done, int64_t total, size_t width, struct buffer *out)
{
    size_t full = total > 0 ? (size_t)((double)width * (double)done / (double)total) : 0;
    if (full > width)
        full = width;
    buffer_putc(out, '[');
    for (size_t i = 0; i < width; i++)
        buffer_putc(out, i < full ? '#' : '-');
    buffer_putc(out, ']');
}

double progress_rate(int64_t ended_last_minute, int64_t age_us)
{
    double age_s = (double)age_us / 1e6;
    if (age_s > 60)
        age_s = 60;
    if (age_s < 1)
        age_s = 1;
    return (double)ended_last_minute * 60 / age_s;
}

int64_t progress_eta_ms(int64_t done, int64_t total, double per_minute)
{
    if (total <= 0 || done >= total || per_minute <= 0)
        return -1;
    return (int64_t)((double)(total - done) / per_minute * 60000);
}

/* Most runs that the sweep will have; 0 = nobody knows. */
static int64_t total_runs(const Besom__V1__Sweep *sweep)
{
    if (sweep->expected_runs > 0)
        return sweep->expected_runs;
    return sweep->run_cap;
}

static void format_head(struct arena *arena, const Besom__V1__Sweep *sweep, const struct screen *screen,
                        struct buffer *out)
{
    buffer_printf(out, "%s%s%s", screen_style(screen, STYLE_HEAD), sweep->sweep_id,
                  screen_style(screen, STYLE_PLAIN));
    if (strcmp(sweep->name, sweep->sweep_id) != 0)
        buffer_printf(out, "  %s", text_clean(arena, sweep->name));
    buffer_printf(out, "  %s  %s  %s%s%s", text_clean(arena, sweep->project), entity_sweep_method(sweep),
                  screen_style(screen, entity_sweep_style(sweep->state)), entity_sweep_state(sweep->state),
                  screen_style(screen, STYLE_PLAIN));
    if (*sweep->state_reason != '\0')
        buffer_printf(out, ": %s", text_clean(arena, sweep->state_reason));
    buffer_putc(out, '\n');
}

static void format_rates(const Besom__V1__WatchSweepResponse *picture, int64_t now_us, struct buffer *out)
{
    char text[FORMAT_SIZE];
    const Besom__V1__Sweep *sweep = picture->sweep;
    int64_t done = entity_ended_runs(sweep->counts), total = total_runs(sweep);
    if (total > 0) {
        progress_format_bar(done, total, BAR_WIDTH, out);
        buffer_printf(out, " %lld/%lld %s", (long long)done, (long long)total,
                      format_percent(done, total, text));
    } else {
        buffer_printf(out, "%lld runs", (long long)done);
    }
    if (entity_sweep_has_ended(sweep)) {
        buffer_printf(out, "  took %s", format_duration((sweep->ended_us - sweep->created_us) / 1000, text));
    } else {
        double per_minute = progress_rate(picture->ended_last_minute, now_us - sweep->started_us);
        int64_t eta_ms = progress_eta_ms(done, total, per_minute);
        buffer_printf(out, "  %.0f runs/min  %.0f points/s", per_minute, picture->points_per_second);
        if (eta_ms >= 0)
            buffer_printf(out, "  ETA %s", format_duration(eta_ms, text));
    }
    buffer_putc(out, '\n');
}

struct count_word {
    const char *name;
    int64_t count;
    enum style style;
};

static void format_counts(const Besom__V1__WatchSweepResponse *picture, const struct screen *screen,
                          struct buffer *out)
{
    const Besom__V1__RunCounts zero = BESOM__V1__RUN_COUNTS__INIT;
    const Besom__V1__RunCounts *counts = picture->sweep->counts != NULL ? picture->sweep->counts : &zero;
    const struct count_word words[] = {
        {"running", counts->running, STYLE_BUSY},        {"finished", counts->finished, STYLE_GOOD},
        {"stopped", counts->stopped, STYLE_WARN},        {"failed", counts->failed, STYLE_BAD},
        {"killed", counts->killed, STYLE_BAD},           {"crashed", counts->crashed, STYLE_BAD},
        {"paused", counts->paused, STYLE_BUSY},          {"to repeat", counts->pending, STYLE_WARN},
        {"unreachable", counts->unreachable, STYLE_BAD},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].count > 0 || i < 2)
            buffer_printf(out, "%s%lld %s%s  ",
                          screen_style(screen, words[i].count > 0 ? words[i].style : STYLE_DIM),
                          (long long)words[i].count, words[i].name, screen_style(screen, STYLE_PLAIN));
    buffer_printf(out, "%lld %s\n", (long long)picture->agents, picture->agents == 1 ? "agent" : "agents");
}

static void format_waiting(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                           const struct screen *screen, struct buffer *out)
{
    if (*picture->waiting_reason != '\0')
        buffer_printf(out, "%s%s%s\n", screen_style(screen, STYLE_WARN),
                      text_clean(arena, picture->waiting_reason), screen_style(screen, STYLE_PLAIN));
}

static void format_warnings(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                            const struct screen *screen, struct buffer *out)
{
    for (size_t i = 0; i < picture->n_warnings; i++)
        buffer_printf(out, "%swarning: %s%s\n", screen_style(screen, STYLE_WARN),
                      text_clean(arena, picture->warnings[i]->text), screen_style(screen, STYLE_PLAIN));
}

static void format_best(struct arena *arena, const Besom__V1__WatchSweepResponse *picture, struct buffer *out)
{
    char value[FORMAT_SIZE];
    if (!entity_run_has_objective(picture->best))
        return;
    buffer_printf(out, "best %s %s  run %s  %s\n", text_clean(arena, picture->sweep->metric),
                  format_number(picture->best->objective, value), picture->best->run_id,
                  text_clean(arena, entity_params_text(arena, picture->best->params_json)));
}

/* Last value of the sweep's metric, or of the first that there is. */
static const Besom__V1__Summary *shown_metric(const Besom__V1__Sweep *sweep, const Besom__V1__Run *run)
{
    for (size_t i = 0; i < run->n_summaries; i++)
        if (strcmp(run->summaries[i]->name, sweep->metric) == 0)
            return run->summaries[i];
    return *sweep->metric == '\0' && run->n_summaries > 0 ? run->summaries[0] : NULL;
}

static void add_running(struct table *table, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run,
                        int64_t now_us)
{
    char text[FORMAT_SIZE];
    const Besom__V1__Summary *metric = shown_metric(sweep, run);
    table_add(table, run->run_id);
    if (run->unreachable)
        table_add_styled(table, "unreachable", STYLE_BAD);
    else
        table_add_styled(table, entity_run_state(run->state), entity_run_style(run->state));
    table_add(table, run->started_us == 0 ? "-" : format_duration((now_us - run->started_us) / 1000, text));
    table_add(table, metric != NULL ? format_number(metric->last, text) : "-");
    if (metric != NULL)
        snprintf(text, sizeof text, "%lld", (long long)metric->last_step);
    table_add(table, metric != NULL ? text : "-");
    table_add(table, run->host);
    table_add(table, entity_params_text(table->arena, run->params_json));
}

static void format_running(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                           const struct screen *screen, int64_t now_us, struct buffer *out)
{
    const struct table_column columns[] = {
        {"RUN", false},       {"STATE", false},
        {"TIME", true},       {*picture->sweep->metric != '\0' ? picture->sweep->metric : "METRIC", true},
        {"STEP", true},       {"HOST", false},
        {"PARAMETERS", false}};
    size_t room = RUNS_WITHOUT_SCREEN, others = LINES_AROUND_RUNS + picture->n_warnings;
    others += *picture->waiting_reason != '\0';
    if (screen->height > 0)
        room = screen->height > others + 1 ? screen->height - others : 1;
    if (picture->n_running == 0)
        return;
    struct table table = table_make(arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < picture->n_running && i < room; i++)
        add_running(&table, picture->sweep, picture->running[i], now_us);
    buffer_putc(out, '\n');
    table_format(&table, screen, out);
    if (picture->n_running > room)
        buffer_printf(out, "and %zu more\n", picture->n_running - room);
}

static void format_time_spent(const Besom__V1__WatchSweepResponse *picture, const Besom__V1__Savings *savings,
                              struct buffer *out)
{
    if (picture->sweep->run_time_ms <= 0)
        return;
    savings_format(savings, picture->sweep->run_time_ms, out);
    buffer_putc(out, '\n');
}

void progress_format(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                     const Besom__V1__Savings *savings, const struct screen *screen, int64_t now_us,
                     struct buffer *out)
{
    if (picture->sweep == NULL)
        return;
    format_head(arena, picture->sweep, screen, out);
    format_rates(picture, now_us, out);
    format_counts(picture, screen, out);
    format_waiting(arena, picture, screen, out);
    format_warnings(arena, picture, screen, out);
    format_best(arena, picture, out);
    format_time_spent(picture, savings, out);
    format_running(arena, picture, screen, now_us, out);
}

void progress_format_line(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                          struct buffer *out)
{
    char text[FORMAT_SIZE];
    const Besom__V1__Sweep *sweep = picture->sweep;
    if (sweep == NULL)
        return;
    int64_t done = entity_ended_runs(sweep->counts), total = total_runs(sweep);
    buffer_printf(out, "%s %s", sweep->sweep_id, entity_sweep_state(sweep->state));
    buffer_printf(out, total > 0 ? " %lld/%lld runs" : " %lld runs", (long long)done, (long long)total);
    buffer_printf(out, ", %lld running", (long long)(sweep->counts != NULL ? sweep->counts->running : 0));
    if (sweep->counts != NULL && sweep->counts->failed + sweep->counts->crashed > 0)
        buffer_printf(out, ", %lld failed", (long long)(sweep->counts->failed + sweep->counts->crashed));
    if (entity_run_has_objective(picture->best))
        buffer_printf(out, ", best %s %s (run %s)", text_clean(arena, sweep->metric),
                      format_number(picture->best->objective, text), picture->best->run_id);
}

static json_t *warnings_json(const Besom__V1__WatchSweepResponse *picture)
{
    json_t *warnings = json_array();
    for (size_t i = 0; i < picture->n_warnings; i++)
        json_array_append_new(warnings, json_pack("{s:s,s:s}", "code", picture->warnings[i]->code, "text",
                                                  picture->warnings[i]->text));
    return warnings;
}

json_t *progress_json(const Besom__V1__WatchSweepResponse *picture, const Besom__V1__Savings *savings)
{
    json_t *running = json_array();
    for (size_t i = 0; i < picture->n_running; i++)
        json_array_append_new(running, entity_run_json(picture->running[i]));
    json_t *object = entity_sweep_json(picture->sweep);
    json_object_set_new(object, "best", entity_run_json(picture->best));
    json_object_set_new(object, "running", running);
    json_object_set_new(object, "savings", savings_json(savings));
    json_object_set_new(object, "ended_last_minute", json_integer(picture->ended_last_minute));
    json_object_set_new(object, "points_per_second", entity_number_json(picture->points_per_second));
    json_object_set_new(object, "agents", json_integer(picture->agents));
    json_object_set_new(object, "waiting_reason", json_string(picture->waiting_reason));
    json_object_set_new(object, "warnings", warnings_json(picture));
    return object;
}

struct progress_view progress_view_make(void)
{
    return (struct progress_view){.screen = screen_look(stdout)};
}

static void erase(struct progress_view *view, struct buffer *out)
{
    if (view->drawn_lines > 0)
        buffer_printf(out, "\033[%zuA", view->drawn_lines);
    buffer_puts(out, "\r\033[J");
    view->drawn_lines = 0;
}

/* The line without its colour sequences. */
static void strip_colour(const char *line, struct buffer *out)
{
    while (*line != '\0') {
        size_t plain = strcspn(line, "\033");
        buffer_append(out, line, plain);
        line += plain;
        line += strcspn(line, "m");
        line += *line == 'm';
    }
}

/* A line that wraps would be drawn over only in part: it is cut, and then without colour. */
static void append_cut_line(const struct progress_view *view, const char *line, struct buffer *out)
{
    struct buffer plain CLEANUP(buffer_free) = BUFFER_INIT;
    strip_colour(line, &plain);
    if (text_width(buffer_text(&plain)) <= view->screen.width)
        buffer_puts(out, line);
    else
        text_cut(buffer_text(&plain), view->screen.width, out);
    buffer_putc(out, '\n');
}

static void append_cut_lines(struct progress_view *view, struct arena *arena, const char *text,
                             struct buffer *out)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        const char *line = arena_strndup(arena, text, length);
        append_cut_line(view, line != NULL ? line : "", out);
        view->drawn_lines++;
        text += length + (text[length] == '\n');
    }
}

static void draw(struct progress_view *view, struct arena *arena,
                 const Besom__V1__WatchSweepResponse *picture)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT, out CLEANUP(buffer_free) = BUFFER_INIT;
    view->screen = screen_look(stdout);
    progress_format(arena, picture, view->savings, &view->screen, clock_wall_us(&clock_system), &text);
    erase(view, &out);
    append_cut_lines(view, arena, buffer_text(&text), &out);
    fwrite(buffer_text(&out), 1, out.length, stdout);
    fflush(stdout);
}

/* Each once. */
static void tell_warnings(struct progress_view *view, struct arena *arena,
                          const Besom__V1__WatchSweepResponse *picture)
{
    for (size_t i = view->warnings_told; i < picture->n_warnings; i++)
        fprintf(stderr, "besom: warning: %s\n", text_clean(arena, picture->warnings[i]->text));
    view->warnings_told = picture->n_warnings;
}

void progress_view_show(struct progress_view *view, const Besom__V1__WatchSweepResponse *picture)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
    if (view->screen.is_terminal) {
        draw(view, &arena, picture);
        return;
    }
    tell_warnings(view, &arena, picture);
    progress_format_line(&arena, picture, &line);
    if (strncmp(view->last_line, buffer_text(&line), sizeof view->last_line - 1) == 0)
        return;
    snprintf(view->last_line, sizeof view->last_line, "%s", buffer_text(&line));
    puts(buffer_text(&line));
    fflush(stdout);
}

void progress_view_note(struct progress_view *view, const char *text)
{
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    if (!view->screen.is_terminal) {
        fprintf(stderr, "besom: %s\n", text);
        return;
    }
    erase(view, &out);
    buffer_printf(&out, "besom: %s\n", text);
    fwrite(buffer_text(&out), 1, out.length, stdout);
    fflush(stdout);
}
