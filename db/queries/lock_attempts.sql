-- Locks attempts in the order of the keys and gives what batches advance, one row for each that exists.
-- Arrays: $1 sweeps, $2 runs, $3 attempts. Called by store_lock_attempts.
SELECT k.i, true, a.ended_at IS NULL, a.ended_at IS NOT NULL, a.last_sequence, a.metric_rows, a.log_bytes,
       a.dropped_lines, a.best_value, a.preempting, a.preempting, a.bands_reached, a.next_step, a.has_facts,
       a.metric_total
FROM unnest($1::text[], $2::text[], $3::integer[]) WITH ORDINALITY AS k (sweep_id, run_id, attempt, i)
JOIN besom.run_attempts a ON a.sweep_id = k.sweep_id AND a.run_id = k.run_id AND a.attempt = k.attempt
ORDER BY a.sweep_id, a.run_id, a.attempt
FOR NO KEY UPDATE OF a;
