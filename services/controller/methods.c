// SPDX-License-Identifier: GPL-3.0-or-later
/* The rpcs of the public services: one row each. */
#include <besom/v1/run_service.pb-c.h>
#include <besom/v1/sweep_service.pb-c.h>
#include <besom/v1/token_service.pb-c.h>

#include "services/common/roles.h"
#include "services/controller/claim.h"
#include "services/controller/finish.h"
#include "services/controller/handlers.h"
#include "services/controller/log_follow.h"
#include "services/controller/looks.h"
#include "services/controller/metrics_rpc.h"
#include "services/controller/track.h"
#include "services/controller/watch.h"

#define METHOD(Service, Name, name)                                                               \
    .path = "/besom.v1." #Service "/" #Name, .request = &besom__v1__##name##_request__descriptor, \
    .response = &besom__v1__##name##_response__descriptor, .access = ROLES_OF(Service, Name)

const struct rpc_method sweep_service_methods[] = {
    {METHOD(SweepService, CreateSweep, create_sweep), .kind = RPC_UNARY, .unary = serve_create_sweep},
    {METHOD(SweepService, OpenProject, open_project), .kind = RPC_UNARY, .unary = serve_open_project},
    {METHOD(SweepService, GetSweep, get_sweep), .kind = RPC_UNARY, .unary = serve_get_sweep},
    {METHOD(SweepService, ListSweeps, list_sweeps), .kind = RPC_UNARY, .unary = serve_list_sweeps},
    {METHOD(SweepService, ChangeSweep, change_sweep), .kind = RPC_UNARY, .unary = serve_change_sweep},
    {METHOD(SweepService, UpdateSweep, update_sweep), .kind = RPC_UNARY, .unary = serve_update_sweep},
    {METHOD(SweepService, DeleteSweep, delete_sweep), .kind = RPC_UNARY, .unary = serve_delete_sweep},
    {METHOD(SweepService, WatchSweep, watch_sweep), .kind = RPC_SERVER_STREAM, .stream = &watch_handler},
    {METHOD(SweepService, ListRuns, list_runs), .kind = RPC_UNARY, .unary = serve_list_runs},
    {METHOD(SweepService, ListBands, list_bands), .kind = RPC_UNARY, .unary = serve_list_bands},
    {METHOD(SweepService, GetImportance, get_importance), .kind = RPC_UNARY, .unary = serve_get_importance},
    {METHOD(SweepService, Predict, predict), .kind = RPC_UNARY, .unary = serve_predict},
    {METHOD(SweepService, GetRecommendation, get_recommendation), .kind = RPC_UNARY,
     .unary = serve_get_recommendation},
    {METHOD(SweepService, ListAgents, list_agents), .kind = RPC_UNARY, .unary = serve_list_agents},
};
const size_t sweep_service_method_count = ARRAY_LEN(sweep_service_methods);

const struct rpc_method run_service_methods[] = {
    {METHOD(RunService, RegisterAgent, register_agent), .kind = RPC_UNARY, .unary = serve_register_agent},
    {METHOD(RunService, RetireAgent, retire_agent), .kind = RPC_UNARY, .unary = serve_retire_agent},
    {METHOD(RunService, AcquireRun, acquire_run), .kind = RPC_UNARY, .unary = claims_serve_acquire},
    {METHOD(RunService, SubmitRun, submit_run), .kind = RPC_UNARY, .unary = serve_submit_run},
    {METHOD(RunService, TrackRun, track_run), .kind = RPC_BIDI_STREAM, .stream = &track_handler},
    {METHOD(RunService, FinishRun, finish_run), .kind = RPC_UNARY, .unary = finish_serve},
    {METHOD(RunService, GetRun, get_run), .kind = RPC_UNARY, .unary = serve_get_run},
    {METHOD(RunService, StopRun, stop_run), .kind = RPC_UNARY, .unary = serve_stop_run},
    {METHOD(RunService, DeleteRun, delete_run), .kind = RPC_UNARY, .unary = serve_delete_run},
    {METHOD(RunService, EditRuns, edit_runs), .kind = RPC_UNARY, .unary = serve_edit_runs},
    {METHOD(RunService, ReadMetrics, read_metrics), .kind = RPC_SERVER_STREAM,
     .stream = &read_metrics_handler},
    {METHOD(RunService, ReadLogs, read_logs), .kind = RPC_SERVER_STREAM, .stream = &read_logs_handler},
    {METHOD(RunService, ExplainRun, explain_run), .kind = RPC_UNARY, .unary = serve_explain_run},
};
const size_t run_service_method_count = ARRAY_LEN(run_service_methods);

const struct rpc_method token_service_methods[] = {
    {METHOD(TokenService, CreateToken, create_token), .kind = RPC_UNARY, .unary = serve_create_token},
    {METHOD(TokenService, ListTokens, list_tokens), .kind = RPC_UNARY, .unary = serve_list_tokens},
    {METHOD(TokenService, RevokeToken, revoke_token), .kind = RPC_UNARY, .unary = serve_revoke_token},
    {METHOD(TokenService, ListEvents, list_events), .kind = RPC_UNARY, .unary = serve_list_events},
};
const size_t token_service_method_count = ARRAY_LEN(token_service_methods);
