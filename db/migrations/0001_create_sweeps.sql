-- SPDX-License-Identifier: GPL-3.0-or-later
-- Sweeps, runs, their attempts and everything that hangs on them. Every table of a sweep has sweep_id first in its
-- key, so that the schema can be partitioned or distributed by it. All times are the database's.

CREATE SCHEMA IF NOT EXISTS besom;

-- What is here, and for whom. A migration that older binaries cannot live with raises oldest_compatible_binary to
-- the number of the last migration that a binary must know.
CREATE TABLE besom.schema_info (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    oldest_compatible_binary integer NOT NULL
);
INSERT INTO besom.schema_info (version, oldest_compatible_binary) VALUES (0, 1);

CREATE TABLE besom.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE besom.projects (
    project text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE besom.sweeps (
    sweep_id text PRIMARY KEY,
    project text NOT NULL REFERENCES besom.projects,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'running', 'paused', 'finished', 'canceled')),
    state_reason text NOT NULL DEFAULT '',
    method text NOT NULL,
    metric text NOT NULL DEFAULT '',
    maximize boolean NOT NULL DEFAULT false,
    program text NOT NULL DEFAULT '',
    spec_version integer NOT NULL DEFAULT 1,
    seed bigint NOT NULL,                       -- 64 bits, read as unsigned
    run_cap bigint NOT NULL DEFAULT 0,          -- 0 = none
    grid_count bigint,                          -- number of points, NULL when unbounded
    next_ordinal bigint NOT NULL DEFAULT 0,     -- first ordinal that was never prepared
    prepared bigint NOT NULL DEFAULT 0,         -- runs ever inserted (an ordinal without a run is a duplicate)
    exhausted boolean NOT NULL DEFAULT false,   -- nothing can be suggested beyond next_ordinal
    request_id text NOT NULL UNIQUE,            -- idempotency key of CreateSweep; sweep_id when none was given
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX sweeps_by_age ON besom.sweeps (created_at DESC, sweep_id);
CREATE INDEX sweeps_live ON besom.sweeps (sweep_id) WHERE state IN ('pending', 'running', 'paused');

-- What was asked for: source text as sent, canonical JSON as checked.
CREATE TABLE besom.sweep_specs (
    sweep_id text NOT NULL REFERENCES besom.sweeps ON DELETE CASCADE,
    version integer NOT NULL,
    file_name text NOT NULL DEFAULT '',
    source bytea NOT NULL,
    spec text NOT NULL,
    first_ordinal bigint NOT NULL DEFAULT 0,    -- index 0 of this version is this ordinal
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sweep_id, version)
);

-- Gapless numbers. A row of its own, so that counting never waits for a reader of the sweep.
CREATE TABLE besom.sweep_counters (
    sweep_id text PRIMARY KEY REFERENCES besom.sweeps ON DELETE CASCADE,
    results bigint NOT NULL DEFAULT 0,
    rung_values bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Single writer of a sweep's queue: the epoch is checked when the result is written.
CREATE TABLE besom.sweep_refills (
    sweep_id text PRIMARY KEY REFERENCES besom.sweeps ON DELETE CASCADE,
    owner text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    deadline timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- Single decider of a sweep's early stops.
CREATE TABLE besom.sweep_deciders (
    sweep_id text PRIMARY KEY REFERENCES besom.sweeps ON DELETE CASCADE,
    owner text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    deadline timestamptz NOT NULL DEFAULT '-infinity',
    decided bigint NOT NULL DEFAULT 0           -- number of the last rung value with a decision
) WITH (fillfactor = 50);

CREATE TABLE besom.suggestions (
    sweep_id text NOT NULL REFERENCES besom.sweeps ON DELETE CASCADE,
    ordinal bigint NOT NULL,
    spec_version integer NOT NULL,
    result_cursor bigint NOT NULL,
    epoch bigint NOT NULL,                      -- of the refill that wrote it
    why text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sweep_id, ordinal)
);

CREATE TABLE besom.runs (
    sweep_id text NOT NULL REFERENCES besom.sweeps ON DELETE CASCADE,
    run_id text NOT NULL,
    ordinal bigint NOT NULL,
    spec_version integer NOT NULL,
    params text NOT NULL,
    config_hash bytea NOT NULL,
    unique_config boolean NOT NULL,             -- grids: one run per configuration
    run_seed bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'assigned', 'running', 'preempting', 'paused',
                         'finished', 'stopped', 'failed', 'killed', 'crashed')),
    end_reason text NOT NULL DEFAULT '',
    attempt integer NOT NULL DEFAULT 0,         -- now or last; 0 = never handed out
    retries integer NOT NULL DEFAULT 0,         -- times it was queued again
    priority integer NOT NULL DEFAULT 0,        -- greater first; retries go ahead of new suggestions
    objective double precision,
    result_number bigint,
    exit_code integer NOT NULL DEFAULT 0,
    signal integer NOT NULL DEFAULT 0,
    error_text text NOT NULL DEFAULT '',
    run_time_ms bigint NOT NULL DEFAULT 0,      -- of all attempts that ended
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (sweep_id, run_id),
    UNIQUE (sweep_id, ordinal)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX runs_config ON besom.runs (sweep_id, config_hash) WHERE unique_config;
CREATE INDEX runs_queue ON besom.runs (sweep_id, priority DESC, ordinal) WHERE state = 'pending';
CREATE INDEX runs_states ON besom.runs (sweep_id, state) INCLUDE (attempt, run_time_ms);
CREATE UNIQUE INDEX runs_results ON besom.runs (sweep_id, result_number) WHERE result_number IS NOT NULL;
CREATE INDEX runs_ends ON besom.runs (sweep_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_by_id ON besom.runs (run_id);

CREATE TABLE besom.run_attempts (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    agent_id text NOT NULL,
    slot integer NOT NULL,
    counter bigint NOT NULL,                    -- with agent and slot: the idempotency key of the claim
    claimed_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,                       -- NULL: this attempt is its run's newest and is not over
    last_sequence bigint NOT NULL DEFAULT 0,    -- advances contiguously; the only dedupe of batches
    metric_rows bigint NOT NULL DEFAULT 0,      -- logged values of the sweep's metric, finite ones
    best_value double precision,                -- of the sweep's metric, by its goal
    bands_reached integer NOT NULL DEFAULT 0,
    log_bytes bigint NOT NULL DEFAULT 0,
    dropped_lines bigint NOT NULL DEFAULT 0,
    preempting boolean NOT NULL DEFAULT false,
    end_reason text NOT NULL DEFAULT '',
    run_time_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (sweep_id, run_id, attempt),
    UNIQUE (sweep_id, agent_id, slot, counter),
    FOREIGN KEY (sweep_id, run_id) REFERENCES besom.runs ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Who must be heard of until when. Narrow and hot: nothing but the key is indexed.
CREATE TABLE besom.leases (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    agent_id text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (sweep_id, run_id),
    FOREIGN KEY (sweep_id, run_id) REFERENCES besom.runs ON DELETE CASCADE
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE besom.agents (
    sweep_id text NOT NULL REFERENCES besom.sweeps ON DELETE CASCADE,
    agent_id text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    slots integer NOT NULL,
    protocol integer NOT NULL,
    features text NOT NULL DEFAULT '',
    version text NOT NULL DEFAULT '',
    registered_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    retire_reason text NOT NULL DEFAULT '',
    last_generation bigint NOT NULL DEFAULT 0,  -- of its directives
    PRIMARY KEY (sweep_id, agent_id)
) WITH (fillfactor = 70);

CREATE TABLE besom.directives (
    sweep_id text NOT NULL,
    agent_id text NOT NULL,
    generation bigint NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('stop_early', 'stop_user', 'kill', 'superseded')),
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    supported boolean,
    PRIMARY KEY (sweep_id, agent_id, generation),
    FOREIGN KEY (sweep_id, agent_id) REFERENCES besom.agents ON DELETE CASCADE
);
CREATE INDEX directives_open ON besom.directives (sweep_id, agent_id) WHERE answered_at IS NULL;
CREATE UNIQUE INDEX directives_once ON besom.directives (sweep_id, run_id, attempt, kind);

-- One row per acknowledged batch until compaction packs it.
CREATE TABLE besom.metric_inbox (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    sequence bigint NOT NULL,
    points integer NOT NULL,
    payload bytea NOT NULL,                     -- besom.v1.TrackBatch with its series only
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sweep_id, run_id, attempt, sequence)
);
ALTER TABLE besom.metric_inbox ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Packed points of one metric, in order of logging.
CREATE TABLE besom.metric_chunks (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    name text NOT NULL,
    chunk bigint NOT NULL,                      -- 0, 1, 2, ...
    encoding smallint NOT NULL,
    points integer NOT NULL,
    first_step bigint NOT NULL,
    last_step bigint NOT NULL,
    min double precision NOT NULL,              -- NaN when no value is finite
    max double precision NOT NULL,
    last double precision NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (sweep_id, run_id, attempt, name, chunk),
    FOREIGN KEY (sweep_id, run_id, attempt) REFERENCES besom.run_attempts ON DELETE CASCADE
);
ALTER TABLE besom.metric_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE besom.run_summaries (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    name text NOT NULL,
    points bigint NOT NULL,
    last double precision NOT NULL,
    last_step bigint NOT NULL,
    min double precision NOT NULL,              -- NaN when no value was finite
    max double precision NOT NULL,
    PRIMARY KEY (sweep_id, run_id, attempt, name)
) WITH (fillfactor = 50);

CREATE TABLE besom.run_logs (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    first_byte bigint NOT NULL,                 -- offset in the attempt's output
    stderr boolean NOT NULL,
    text bytea NOT NULL,
    PRIMARY KEY (sweep_id, run_id, attempt, first_byte),
    FOREIGN KEY (sweep_id, run_id, attempt) REFERENCES besom.run_attempts ON DELETE CASCADE
);

-- A run reached a band. Numbered without gaps: the order that decisions follow.
CREATE TABLE besom.rung_values (
    sweep_id text NOT NULL REFERENCES besom.sweeps ON DELETE CASCADE,
    number bigint NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    band_index integer NOT NULL,
    band bigint NOT NULL,                       -- in rows that hold the metric
    value double precision NOT NULL,            -- at that row
    best double precision NOT NULL,             -- best up to that row
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sweep_id, number),
    UNIQUE (sweep_id, run_id, attempt, band_index)
);

CREATE TABLE besom.stop_decisions (
    sweep_id text NOT NULL,
    number bigint NOT NULL,                     -- of the rung value
    run_id text NOT NULL,
    attempt integer NOT NULL,
    band_index integer NOT NULL,
    band bigint NOT NULL,
    value double precision NOT NULL,
    compared double precision NOT NULL,
    threshold double precision NOT NULL,
    stop boolean NOT NULL,
    reached bigint NOT NULL,
    rivals text NOT NULL,                       -- JSON: [[run, value], ...], best first
    reason text NOT NULL,
    epoch bigint NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sweep_id, number),
    FOREIGN KEY (sweep_id, number) REFERENCES besom.rung_values ON DELETE CASCADE
);
CREATE INDEX stop_decisions_of_run ON besom.stop_decisions (sweep_id, run_id, number);

-- Audit trail, append-only.
CREATE TABLE besom.events (
    event_id bigint GENERATED ALWAYS AS IDENTITY,
    sweep_id text NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    actor text NOT NULL,
    subject text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (sweep_id, event_id)
);

-- A run as it is shown, with what its newest attempt says.
CREATE VIEW besom.shown_runs AS
SELECT r.sweep_id, r.run_id, r.state, r.end_reason, r.params, coalesce(a.agent_id, '') AS agent_id,
       coalesce(g.host, '') AS host, r.error_text, r.ordinal, r.created_at, r.started_at, r.ended_at,
       coalesce(r.result_number, 0) AS result_number, r.run_time_ms, r.attempt, r.exit_code, r.signal,
       r.spec_version, coalesce(l.expires_at < now(), false) AS unreachable,
       CASE WHEN r.ended_at IS NOT NULL THEN r.objective
            WHEN r.state <> 'pending' THEN a.best_value END AS objective
FROM besom.runs r
LEFT JOIN besom.run_attempts a ON a.sweep_id = r.sweep_id AND a.run_id = r.run_id AND a.attempt = r.attempt
LEFT JOIN besom.agents g ON g.sweep_id = a.sweep_id AND g.agent_id = a.agent_id
LEFT JOIN besom.leases l ON l.sweep_id = r.sweep_id AND l.run_id = r.run_id;
