-- SPDX-License-Identifier: GPL-3.0-or-later
-- Sweeps whose model learns from what runs bring to rungs (early_terminate: bohb): what was prepared before a rung value
-- came is not handed out after it, and runs.fresh_until counts rung values.

ALTER TABLE besom.sweeps
    ADD COLUMN learns_rungs boolean NOT NULL DEFAULT false;  -- of learns: in the order of rung values, not of results
