-- Newest values of metrics, one row for each of the keys that has any. Arrays: $1 sweeps, $2 runs, $3 names, $4 attempts.
-- Called by store_list_newest_values, with the attempts locked by lock_attempts.
SELECT k.i, s.last
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[]) WITH ORDINALITY AS k (sweep_id, run_id, name, attempt, i)
JOIN besom.run_summaries s
    ON s.sweep_id = k.sweep_id AND s.run_id = k.run_id AND s.attempt = k.attempt AND s.name = k.name;
