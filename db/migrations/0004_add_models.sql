-- SPDX-License-Identifier: GPL-3.0-or-later
-- Methods whose suggestions depend on results: what was prepared before a result came is not handed out after it.

ALTER TABLE besom.sweeps
    ADD COLUMN learns boolean NOT NULL DEFAULT false;       -- its suggestions depend on results

ALTER TABLE besom.runs ADD COLUMN fresh_until bigint;       -- results up to which it may be handed out first; NULL = any
