-- What runs came to, in order of their result numbers: number, params, state, objective, id. A number whose run goes on
-- again, or was deleted, is left out. $1 sweep, $2 after this number, $3 up to this one. Called by store_list_results.
SELECT result_number, params, state, objective, run_id
FROM besom.runs
WHERE sweep_id = $1 AND result_number > $2 AND result_number <= $3
  AND state IN ('finished', 'stopped', 'failed', 'killed', 'crashed')
ORDER BY result_number;
