// SPDX-License-Identifier: GPL-3.0-or-later
#include "best.h"

#include <stdio.h>
#include <string.h>

#include "entity.h"
#include "format.h"
#include "run_view.h"

static void print_entry(struct cli *cli, struct run_view *view, const char *name)
{
    char number[FORMAT_SIZE];
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct value value = value_of_summary(value_at(run_view_summary(view), name));
    if (value.type == VALUE_NUMBER && value.is_real)
        buffer_puts(&text, format_number((double)value.number, number));
    else
        value_append(&text, &value);
    printf("%-10s %s\n", text_clean(&cli->arena, name), text_clean(&cli->arena, buffer_text(&text)));
}

/* What the run amounts to but for the sweep's metric. */
static void print_summary(struct cli *cli, const Besom__V1__Run *run, const char *metric)
{
    const char *name;
    json_t *entry, *names = json_object();
    struct run_view view CLEANUP(run_view_release) = {.run = run};
    struct buffer work CLEANUP(buffer_free) = BUFFER_INIT;
    run_view_add_names(names, run_view_summary(&view), &work);
    json_object_foreach(names, name, entry)
    {
        if (strcmp(name, metric) != 0)
            print_entry(cli, &view, name);
    }
    json_decref(names);
}

void best_print(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run)
{
    char text[FORMAT_SIZE];
    printf("run        %s (%s)\n", run->run_id, entity_run_state(run->state));
    if (*run->name != '\0')
        printf("name       %s\n", text_clean(&cli->arena, run->name));
    if (entity_run_has_objective(run))
        printf("%-10s %s (%s)\n", text_clean(&cli->arena, sweep->metric), format_number(run->objective, text),
               sweep->maximize ? "maximize" : "minimize");
    printf("parameters %s\n", text_clean(&cli->arena, entity_params_text(&cli->arena, run->params_json)));
    print_summary(cli, run, sweep->metric);
}
