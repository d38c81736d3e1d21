// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "base/clock.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "progress.h"
#include "resolve.h"
#include "savings.h"
#include "watch.h"

#define REDRAW_MS 500
#define SAVINGS_MS 2000

struct status_options {
    struct connection_options connection;
    bool json;
    bool watch;
};

static void show(const struct status_options *options, struct progress_view *view,
                 const Besom__V1__WatchSweepResponse *picture)
{
    if (options->json)
        (void)entity_print_json(progress_json(picture, view->savings));
    else
        progress_view_show(view, picture);
}

/* What stopping saved, read again when more runs have ended, but not more often than now and then. */
struct savings_watch {
    besom_client *client;
    Besom__V1__ListBandsResponse *read; /* owned */
    int64_t ended;
    int64_t next_ms;
};

static const Besom__V1__Savings *savings_now(struct savings_watch *watch, const Besom__V1__Sweep *sweep)
{
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    int64_t ended = sweep != NULL ? entity_ended_runs(sweep->counts) : 0;
    bool is_last = sweep != NULL && entity_sweep_has_ended(sweep);
    if (ended != watch->ended && (now_ms >= watch->next_ms || is_last)) {
        besom_message_free(watch->read);
        watch->read = savings_read(watch->client, sweep);
        watch->ended = ended;
        watch->next_ms = now_ms + SAVINGS_MS;
    }
    return watch->read != NULL ? watch->read->savings : NULL;
}

static void savings_watch_release(struct savings_watch *watch)
{
    besom_message_free(watch->read);
}

static int follow(const struct status_options *options, besom_client *client, struct watch *watch,
                  const char *sweep_id)
{
    struct progress_view view = progress_view_make();
    struct savings_watch savings CLEANUP(savings_watch_release) = {.client = client};
    Besom__V1__WatchSweepResponse *last CLEANUP(message_release) = NULL;
    bool away = false;
    for (;;) {
        Besom__V1__WatchSweepResponse *picture = NULL;
        besom_error error = {.code = BESOM_OK};
        switch (watch_next(watch, REDRAW_MS, &picture, &error)) {
        case WATCH_PICTURE:
            besom_message_free(last);
            last = picture;
            away = false;
            view.savings = savings_now(&savings, last->sweep);
            show(options, &view, last);
            break;
        case WATCH_NOTHING:
            /* running times go on although nothing changed */
            if (last != NULL && view.screen.is_terminal && !options->json && !away)
                show(options, &view, last);
            break;
        case WATCH_AWAY:
            if (!away)
                progress_view_note(&view, "the controller is away, waiting for it");
            away = true;
            break;
        case WATCH_ENDED: return CLI_OK;
        case WATCH_FAILED: return connection_fail(&error, "cannot watch sweep %s", sweep_id);
        }
        if (ferror(stdout))
            return CLI_FAILED;
    }
}

static int show_once(const struct status_options *options, besom_client *client, struct watch *watch,
                     const char *sweep_id)
{
    Besom__V1__WatchSweepResponse *picture CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_DEADLINE, .text = "no answer in time"};
    enum watch_event event = watch_next(watch, (int)options->connection.timeout_ms, &picture, &error);
    if (event != WATCH_PICTURE)
        return connection_fail(&error, "cannot read sweep %s", sweep_id);
    Besom__V1__ListBandsResponse *bands CLEANUP(message_release) = savings_read(client, picture->sweep);
    const Besom__V1__Savings *savings = bands != NULL ? bands->savings : NULL;
    if (options->json)
        return entity_print_json(progress_json(picture, savings));
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct screen screen = screen_look(stdout);
    screen.height = 0;
    progress_format(&arena, picture, savings, &screen, clock_wall_us(&clock_system), &text);
    fputs(buffer_text(&text), stdout);
    return CLI_OK;
}

static int run_status(struct cli *cli, void *given)
{
    const struct status_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    const char *sweep_id = NULL;
    int code = resolve_sweep(&options->connection, cli->given->arguments[0], &client, &sweep_id);
    if (code != CLI_OK)
        return code;
    struct watch *watch = watch_new(client, sweep_id);
    if (watch == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    code = options->watch ? follow(options, client, watch, sweep_id)
                          : show_once(options, client, watch, sweep_id);
    watch_free(watch);
    return code;
}

static const struct config_key keys[] = {
    {.name = "watch",
     .letter = 'w',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct status_options, watch),
     .help = "keep showing it until the sweep has ended"},
    JSON_KEY(struct status_options),
    CONNECTION_KEYS(struct status_options),
};

const struct cli_command cmd_status = {
    .name = "status",
    .group = "Look",
    .usage = "besom status [--watch] SWEEP",
    .summary = "Show how a sweep is doing",
    .footer = "With --watch a terminal is redrawn in place; elsewhere each change is a line (with --json an "
              "object). It warns when a failover of the database could lose what was acknowledged.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct status_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_status,
};
