// SPDX-License-Identifier: GPL-3.0-or-later
#include "best.h"

#include <stdio.h>
#include <string.h>

#include "entity.h"
#include "format.h"

void best_print(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run)
{
    char text[FORMAT_SIZE];
    printf("run        %s (%s)\n", run->run_id, entity_run_state(run->state));
    if (entity_run_has_objective(run))
        printf("%-10s %s (%s)\n", text_clean(&cli->arena, sweep->metric), format_number(run->objective, text),
               sweep->maximize ? "maximize" : "minimize");
    printf("parameters %s\n", text_clean(&cli->arena, entity_params_text(&cli->arena, run->params_json)));
    for (size_t i = 0; i < run->n_summaries; i++)
        if (strcmp(run->summaries[i]->name, sweep->metric) != 0)
            printf("%-10s %s\n", text_clean(&cli->arena, run->summaries[i]->name),
                   format_number(run->summaries[i]->last, text));
}
