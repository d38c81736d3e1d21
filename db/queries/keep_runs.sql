-- Lets prepared runs from an ordinal on be handed out although results have come since they were asked for.
-- $1 sweep, $2 first ordinal, $3 results that may come still. Called by store_keep_runs after insert_runs.
UPDATE besom.runs
SET fresh_until = (SELECT results FROM besom.sweep_counters WHERE sweep_id = $1) + $3
WHERE sweep_id = $1 AND state = 'pending' AND attempt = 0 AND ordinal >= $2 AND fresh_until IS NOT NULL;
