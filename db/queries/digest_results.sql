-- A digest of all results up to a number: another one when a run has another result, goes on again or was deleted.
-- $1 sweep, $2 number. Called by store_digest_results.
SELECT coalesce(bit_xor(hashtextextended(concat_ws(' ', run_id, state, objective), result_number)), 0)
FROM besom.runs
WHERE sweep_id = $1 AND result_number <= $2
  AND state IN ('finished', 'stopped', 'failed', 'killed', 'crashed');
