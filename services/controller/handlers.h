/*
 * The handlers of both public services, one per rpc; methods.c lists them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_HANDLERS_H
#define BESOM_CONTROLLER_HANDLERS_H

#include "base/id.h"
#include "rpc/server.h"

rpc_unary_handler serve_create_sweep, serve_get_sweep, serve_list_sweeps, serve_change_sweep,
    serve_update_sweep, serve_delete_sweep, serve_list_runs, serve_list_agents, serve_open_project,
    serve_list_bands;
rpc_unary_handler serve_create_token, serve_list_tokens, serve_revoke_token, serve_list_events;
rpc_unary_handler serve_register_agent, serve_retire_agent, serve_get_run, serve_stop_run, serve_delete_run,
    serve_explain_run, serve_edit_runs, serve_submit_run;

#endif
