/*
 * Sweeps, runs and agents of the contract as JSON with stable keys and as
 * words. The only place that knows names of states.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_ENTITY_H
#define BESOM_CLI_ENTITY_H

#include <besom/v1/run_service.pb-c.h>
#include <besom/v1/sweep_service.pb-c.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "table.h"

/* "running"; "unspecified" for what this program does not know. */
const char *entity_sweep_state(Besom__V1__SweepState state);
const char *entity_run_state(Besom__V1__RunState state);
enum style entity_sweep_style(Besom__V1__SweepState state);
enum style entity_run_style(Besom__V1__RunState state);
bool entity_sweep_has_ended(const Besom__V1__Sweep *sweep);
bool entity_run_has_objective(const Besom__V1__Run *run);

/* The method's name; "single runs" for a project's runs outside any search. */
const char *entity_sweep_method(const Besom__V1__Sweep *sweep);

/* Runs that have ended, whatever way. */
int64_t entity_ended_runs(const Besom__V1__RunCounts *counts);

/* New references; NULL becomes JSON null. */
json_t *entity_sweep_json(const Besom__V1__Sweep *sweep);
json_t *entity_run_json(const Besom__V1__Run *run);
json_t *entity_agent_json(const Besom__V1__Agent *agent);
/* A number; "NaN", "Infinity" and "-Infinity" as text, since JSON has none. */
json_t *entity_number_json(double value);
/* A stored JSON text; null when it is none. */
json_t *entity_parsed_json(const char *text);
/* Prints one line and drops the reference. An exit code. */
int entity_print_json(json_t *value);

/* "lr=0.01 layers=2", nested names dotted, in the order of the configuration. */
const char *entity_params_text(struct arena *arena, const char *params_json);

#endif
