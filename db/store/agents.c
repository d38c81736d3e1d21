// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/query.h"
#include "db/store/runs.h"

static const struct field AGENT_FIELDS[] = {
    FIELD(TEXT, struct store_agent, sweep_id),
    FIELD(TEXT, struct store_agent, agent_id),
    FIELD(TEXT, struct store_agent, host),
    FIELD(TEXT, struct store_agent, features),
    FIELD(TEXT, struct store_agent, version),
    FIELD(I64, struct store_agent, pid),
    FIELD(I32, struct store_agent, slots),
    FIELD(I32, struct store_agent, protocol),
    /* reading only */
    FIELD(TIME, struct store_agent, registered_us),
    FIELD(TIME, struct store_agent, seen_us),
    FIELD(TIME, struct store_agent, retired_us),
    FIELD(I64, struct store_agent, running),
    FIELD(I64, struct store_agent, ended),
    FIELD(TEXT, struct store_agent, retire_reason),
    FIELD(BOOL, struct store_agent, quarantined),
};
#define REGISTERED_FIELDS 8

enum status store_register_agent(struct store_tx *tx, const struct store_agent *agent, struct err *err)
{
    struct shape shape = {AGENT_FIELDS, REGISTERED_FIELDS, sizeof *agent};
    struct store_agent row = *agent;
    row.features = row.features == NULL ? "" : row.features;
    row.version = row.version == NULL ? "" : row.version;
    struct params params = params_begin(tx);
    params_row(&params, shape, &row);
    return query_change(tx, QUERY_REGISTER_AGENT, &params, NULL, err);
}

enum status store_retire_agent(struct store_tx *tx, const char *sweep_id, const char *agent_id,
                               const char *reason, bool quarantine, struct err *err)
{
    struct params params = params_begin(tx);
    int64_t changed;
    params_text(&params, sweep_id);
    params_text(&params, agent_id);
    params_text(&params, reason);
    params_bool(&params, quarantine);
    TRY(query_change(tx, QUERY_RETIRE_AGENT, &params, &changed, err));
    return changed == 1 ? STATUS_OK : err_set(err, STATUS_NOT_FOUND, "no such agent: %s", agent_id);
}

static struct params host_params(struct store_tx *tx, const char *sweep_id, const char *host)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, host);
    return params;
}

enum status store_get_quarantine(struct store_tx *tx, const char *sweep_id, const char *host,
                                 const char *agent_id, const char **reason, struct err *err)
{
    struct params params = host_params(tx, sweep_id, host);
    params_text(&params, agent_id);
    const char **reasons;
    size_t count;
    TRY(query_texts(tx, QUERY_GET_QUARANTINE, &params, &reasons, &count, err));
    *reason = count > 0 ? reasons[0] : NULL;
    return STATUS_OK;
}

enum status store_end_quarantine(struct store_tx *tx, const char *sweep_id, const char *host, bool *ended,
                                 struct err *err)
{
    struct params params = host_params(tx, sweep_id, host);
    int64_t changed;
    TRY(query_change(tx, QUERY_END_QUARANTINE, &params, &changed, err));
    *ended = changed > 0;
    return STATUS_OK;
}

enum status store_list_agents(struct store_tx *tx, const char *sweep_id, const struct store_reach *reach,
                              struct store_agent **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_reach(&params, reach);
    return query_rows(tx, QUERY_LIST_AGENTS, &params, SHAPE(struct store_agent, AGENT_FIELDS), out, count,
                      err);
}
