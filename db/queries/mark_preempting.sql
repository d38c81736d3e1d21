-- Takes the attempts' preempting marks over into the runs' states. Arrays: $1 sweeps, $2 runs, $3 attempts, $4 marks.
-- Called by store_save_attempts when a mark changed.
UPDATE besom.runs r
SET state = CASE WHEN k.preempting THEN 'preempting' ELSE 'running' END
FROM unnest($1::text[], $2::text[], $3::integer[], $4::boolean[]) AS k (sweep_id, run_id, attempt, preempting)
WHERE r.sweep_id = k.sweep_id AND r.run_id = k.run_id AND r.attempt = k.attempt
  AND r.state IN ('running', 'preempting');
