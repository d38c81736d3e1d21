-- SPDX-License-Identifier: GPL-3.0-or-later
-- Most runs of a sweep at once, and runs of other sweeps that a sweep begins with.

ALTER TABLE besom.sweeps ADD COLUMN concurrency bigint NOT NULL DEFAULT 0;  -- 0 = no limit

-- Copies, so that a prior run stays known when its own sweep is deleted.
CREATE TABLE besom.prior_runs (
    sweep_id text NOT NULL REFERENCES besom.sweeps ON DELETE CASCADE,
    position integer NOT NULL,                  -- as given, from 0
    run_id text NOT NULL,
    source_sweep_id text NOT NULL,
    params text NOT NULL,
    config_hash bytea NOT NULL,
    state text NOT NULL,
    objective double precision,
    PRIMARY KEY (sweep_id, position)
);
CREATE INDEX prior_runs_config ON besom.prior_runs (sweep_id, config_hash);
