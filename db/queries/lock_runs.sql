-- Locks runs of a sweep, in order: what comes after sees how they are. $1 sweep; array: $2 runs.
-- Called by store_record_verdicts.
SELECT run_id FROM besom.runs WHERE sweep_id = $1 AND run_id = ANY ($2::text[]) ORDER BY run_id FOR NO KEY UPDATE;
