-- SPDX-License-Identifier: GPL-3.0-or-later
-- Runs that pause at a rung until the others of their cohort have come (early_terminate: hyperband_full, bohb).

ALTER TABLE besom.sweeps
    ADD COLUMN pauses boolean NOT NULL DEFAULT false;       -- its runs pause at rungs
CREATE INDEX sweeps_pausing ON besom.sweeps (sweep_id) WHERE pauses;

-- All that a verdict rests on has one order: besides values ('value'), that a run ended ('ended': `value` is its
-- objective when it finished, NaN otherwise; no run when its ordinal has none), and that runs to come have ordinals
-- from `ordinal` on and are of other cohorts ('closed').
ALTER TABLE besom.rung_values
    ADD COLUMN kind text NOT NULL DEFAULT 'value' CHECK (kind IN ('value', 'ended', 'closed')),
    ADD COLUMN ordinal bigint;                              -- of the run; NULL = of an older release, as runs has it
ALTER TABLE besom.rung_values DROP CONSTRAINT rung_values_sweep_id_run_id_attempt_band_index_key;
CREATE UNIQUE INDEX rung_values_once ON besom.rung_values (sweep_id, run_id, attempt, band_index) WHERE kind = 'value';
CREATE INDEX rung_values_others ON besom.rung_values (sweep_id, kind, ordinal) WHERE kind <> 'value';

ALTER TABLE besom.stop_decisions
    ADD COLUMN pause boolean NOT NULL DEFAULT false,        -- the run waits at the rung for its cohort's verdict
    ADD COLUMN cohort bigint,                               -- its first ordinal; NULL = no rung of a cohort
    ADD COLUMN bracket integer,
    ADD COLUMN planned bigint;                              -- runs that are awaited at the rung

ALTER TABLE besom.directives DROP CONSTRAINT directives_kind_check;
ALTER TABLE besom.directives
    ADD CONSTRAINT directives_kind_check CHECK (kind IN ('stop_early', 'stop_user', 'kill', 'superseded', 'pause'));

-- A cohort was complete at a rung: what became of each run that was awaited there.
CREATE TABLE besom.cohort_verdicts (
    sweep_id text NOT NULL,
    cohort bigint NOT NULL,                                 -- its first ordinal
    band_index integer NOT NULL,
    ordinal bigint NOT NULL,
    run_id text NOT NULL,                                   -- '' = the ordinal has no run
    bracket integer NOT NULL,                               -- s
    band bigint NOT NULL,
    number bigint NOT NULL,                                 -- of the rung value that completed the cohort
    promoted boolean NOT NULL,
    rank bigint NOT NULL,                                   -- 1 = best
    planned bigint NOT NULL,                                -- runs that were awaited
    value double precision NOT NULL,                        -- NaN: it ended without one that counts
    threshold double precision NOT NULL,                    -- worst value that was promoted; NaN when none was
    epoch bigint NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sweep_id, cohort, band_index, ordinal),
    FOREIGN KEY (sweep_id, number) REFERENCES besom.rung_values ON DELETE CASCADE
);
CREATE INDEX cohort_verdicts_of_run ON besom.cohort_verdicts (sweep_id, run_id, band_index);
CREATE INDEX cohort_verdicts_of_number ON besom.cohort_verdicts (sweep_id, number);
