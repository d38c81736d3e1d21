-- Configurations of runs below an ordinal without a result up to a number, in order of ordinal.
-- $1 sweep, $2 ordinal, $3 number. Called by store_list_open_params.
SELECT params
FROM besom.runs
WHERE sweep_id = $1 AND ordinal < $2
  AND (result_number IS NULL OR result_number > $3
       OR state NOT IN ('finished', 'stopped', 'failed', 'killed', 'crashed'))
ORDER BY ordinal;
