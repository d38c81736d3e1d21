/*
 * Who may call what: the one table of roles and rpcs. A row of a method table
 * takes its access bits from here (ROLES_OF), so an rpc without a row does not
 * compile, and a test compares the table with the contract.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_ROLES_H
#define BESOM_SERVICES_COMMON_ROLES_H

#include <stdbool.h>
#include <stddef.h>

/* A token has one of them, a method any number: who has one that the method has may call it. */
enum {
    ROLE_ADMIN = 1,   /* everything, tokens too */
    ROLE_WRITER = 2,  /* sweeps and runs */
    ROLE_AGENT = 4,   /* take runs and report on them */
    ROLE_READER = 8,  /* look */
    ROLE_SERVICE = 16 /* services, among themselves */
};

/* for short, in the table */
#define ROLES_READ (ROLE_ADMIN | ROLE_WRITER | ROLE_READER)
#define ROLES_WRITE (ROLE_ADMIN | ROLE_WRITER)
#define ROLES_RUN (ROLE_ADMIN | ROLE_WRITER | ROLE_AGENT)

/* X(service, rpc, roles) */
#define RPC_ROLES(X)                                      \
    X(SweepService, CreateSweep, ROLES_WRITE)             \
    X(SweepService, OpenProject, ROLES_RUN)               \
    X(SweepService, GetSweep, ROLES_READ | ROLE_AGENT)    \
    X(SweepService, ListSweeps, ROLES_READ)               \
    X(SweepService, ChangeSweep, ROLES_WRITE)             \
    X(SweepService, UpdateSweep, ROLES_WRITE)             \
    X(SweepService, DeleteSweep, ROLES_WRITE)             \
    X(SweepService, WatchSweep, ROLES_READ)               \
    X(SweepService, ListRuns, ROLES_READ)                 \
    X(SweepService, ListBands, ROLES_READ)                \
    X(SweepService, ListAgents, ROLES_READ)               \
    X(SweepService, GetImportance, ROLES_READ)            \
    X(SweepService, Predict, ROLES_READ)                  \
    X(SweepService, GetRecommendation, ROLES_READ)        \
    X(RunService, RegisterAgent, ROLES_RUN)               \
    X(RunService, RetireAgent, ROLES_RUN)                 \
    X(RunService, AcquireRun, ROLES_RUN)                  \
    X(RunService, SubmitRun, ROLES_RUN)                   \
    X(RunService, TrackRun, ROLES_RUN)                    \
    X(RunService, FinishRun, ROLES_RUN)                   \
    X(RunService, GetRun, ROLES_READ)                     \
    X(RunService, StopRun, ROLES_WRITE)                   \
    X(RunService, DeleteRun, ROLES_WRITE)                 \
    X(RunService, EditRuns, ROLES_WRITE)                  \
    X(RunService, ReadMetrics, ROLES_READ)                \
    X(RunService, ReadLogs, ROLES_READ)                   \
    X(RunService, ExplainRun, ROLES_READ)                 \
    X(TokenService, CreateToken, ROLE_ADMIN)              \
    X(TokenService, ListTokens, ROLE_ADMIN)               \
    X(TokenService, RevokeToken, ROLE_ADMIN)              \
    X(TokenService, ListEvents, ROLES_WRITE)              \
    X(SuggestionService, Suggest, ROLE_SERVICE)           \
    X(SuggestionService, ComputeImportance, ROLE_SERVICE) \
    X(SuggestionService, PredictSlice, ROLE_SERVICE)      \
    X(SuggestionService, RecommendRun, ROLE_SERVICE)      \
    X(SchedulerService, DecideStops, ROLE_SERVICE)

#define ROLES_ROW(service, rpc, roles) ROLES_##service##_##rpc = (roles),
enum { RPC_ROLES(ROLES_ROW) };
#undef ROLES_ROW
/* The access bits of a method's row: ROLES_OF(SweepService, GetSweep). */
#define ROLES_OF(service, rpc) ROLES_##service##_##rpc

struct rpc_roles {
    const char *path; /* "/besom.v1.SweepService/GetSweep" */
    unsigned roles;
};
extern const struct rpc_roles rpc_roles[];
extern const size_t rpc_roles_count;

/* "admin"; "" for no single role. */
const char *role_name(unsigned role);
/* False when no user's role has that name. */
bool role_from_name(const char *name, unsigned *out);

#endif
