-- SPDX-License-Identifier: GPL-3.0-or-later
-- What people and programs say of runs, fuller summaries, attempts that go on where the one before ended, quarantine,
-- and the sweep of a project's single runs.

ALTER TABLE besom.runs
    ADD COLUMN name text NOT NULL DEFAULT '',               -- '' = as its program says
    ADD COLUMN notes text NOT NULL DEFAULT '',              -- likewise
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',           -- added by users
    ADD COLUMN hidden_tags text[] NOT NULL DEFAULT '{}';    -- of the program's, taken away by users

ALTER TABLE besom.run_attempts
    ADD COLUMN next_step bigint NOT NULL DEFAULT 0,         -- above every step of this attempt and those before
    ADD COLUMN has_facts boolean NOT NULL DEFAULT false,
    ADD COLUMN metric_total double precision NOT NULL DEFAULT 0;  -- sum of the values that metric_rows counts

-- Runs that are not over go on above their steps; the sums of attempts from before are not known.
UPDATE besom.run_attempts a
SET next_step = greatest(0, s.next_step),
    metric_total = CASE WHEN a.metric_rows > 0 THEN 'NaN'::double precision ELSE 0 END
FROM besom.runs r
LEFT JOIN (SELECT sweep_id, run_id, least(max(last_step), 9223372036854775806) + 1 AS next_step
           FROM besom.run_summaries
           GROUP BY sweep_id, run_id) s
    ON s.sweep_id = r.sweep_id AND s.run_id = r.run_id
WHERE r.ended_at IS NULL AND a.sweep_id = r.sweep_id AND a.run_id = r.run_id;

ALTER TABLE besom.rung_values ADD COLUMN mean double precision;   -- of the values up to that row; NULL = as value

ALTER TABLE besom.run_summaries
    ADD COLUMN first double precision NOT NULL DEFAULT 'NaN',
    ADD COLUMN least_step bigint NOT NULL DEFAULT 0,
    ADD COLUMN total double precision NOT NULL DEFAULT 'NaN', -- of finite values; NaN = not known
    ADD COLUMN finite bigint NOT NULL DEFAULT 0;            -- how many those are

-- Said once by a run's program; the newest of a kind and name.
CREATE TABLE besom.run_facts (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    attempt integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('summary', 'definition', 'config', 'about')),
    name text NOT NULL,
    value text NOT NULL,                                    -- JSON
    PRIMARY KEY (sweep_id, run_id, attempt, kind, name),
    FOREIGN KEY (sweep_id, run_id, attempt) REFERENCES besom.run_attempts ON DELETE CASCADE
) WITH (fillfactor = 70);

ALTER TABLE besom.agents ADD COLUMN quarantined boolean NOT NULL DEFAULT false;
CREATE INDEX agents_quarantined ON besom.agents (sweep_id, host) WHERE quarantined;

-- One sweep of single runs for each project.
CREATE UNIQUE INDEX sweeps_of_single_runs ON besom.sweeps (project) WHERE method = 'none';

CREATE OR REPLACE VIEW besom.shown_runs AS
SELECT r.sweep_id, r.run_id, r.state, r.end_reason, r.params, coalesce(a.agent_id, '') AS agent_id,
       coalesce(g.host, '') AS host, r.error_text, r.ordinal, r.created_at, r.started_at, r.ended_at,
       coalesce(r.result_number, 0) AS result_number, r.run_time_ms, r.attempt, r.exit_code, r.signal,
       r.spec_version, coalesce(l.expires_at < now(), false) AS unreachable,
       CASE WHEN r.ended_at IS NOT NULL THEN r.objective ELSE a.best_value END AS objective,
       r.name, r.notes, r.tags, r.hidden_tags
FROM besom.runs r
LEFT JOIN besom.run_attempts a ON a.sweep_id = r.sweep_id AND a.run_id = r.run_id AND a.attempt = r.attempt
LEFT JOIN besom.agents g ON g.sweep_id = a.sweep_id AND g.agent_id = a.agent_id
LEFT JOIN besom.leases l ON l.sweep_id = r.sweep_id AND l.run_id = r.run_id;

-- Rows of the inbox live for seconds. They are kept in line as far as a page goes, and vacuumed without pauses, so that
-- a flood of them goes where others were.
ALTER TABLE besom.metric_inbox SET (
    toast_tuple_target = 8160,
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0.0, toast.autovacuum_vacuum_threshold = 1000,
    toast.autovacuum_vacuum_cost_delay = 0);
