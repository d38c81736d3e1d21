-- Summaries of all attempts of runs, by run, name and attempt. $1 sweep, $2 runs (text[]).
-- Called by store_list_summaries_of.
SELECT s.sweep_id, s.run_id, s.name, s.attempt, s.points, s.last_step, s.last, s.min, s.max, s.first, s.total,
       s.least_step, s.finite
FROM besom.run_summaries s
WHERE s.sweep_id = $1 AND s.run_id = ANY ($2::text[])
ORDER BY s.run_id, s.name, s.attempt;
