-- Summaries of all attempts of runs, by run, name (as bytes) and attempt; of each run the first $3. $1 sweep,
-- $2 runs (text[]). Called by store_list_summaries_of.
SELECT s.sweep_id, s.run_id, s.name, s.attempt, s.points, s.last_step, s.last, s.min, s.max, s.first, s.total,
       s.least_step, s.finite
FROM (SELECT DISTINCT run_id FROM unnest($2::text[]) u (run_id)) k
CROSS JOIN LATERAL (
    SELECT *
    FROM besom.run_summaries
    WHERE sweep_id = $1 AND run_id = k.run_id
    ORDER BY name COLLATE "C", attempt
    LIMIT $3
) s
ORDER BY s.run_id, s.name COLLATE "C", s.attempt;
