-- Locks attempts that are to end, with their runs, in the order of the keys; gives for each that exists: agent,
-- whether a successor was claimed, it is over, it was lost and can be revived, sequence, run's state, reason, number.
-- Arrays: $1 sweeps, $2 runs, $3 attempts. Called by store_finish_runs.
SELECT k.i, a.agent_id, r.attempt <> a.attempt, a.ended_at IS NOT NULL,
       r.attempt = a.attempt AND a.end_reason IN ('lost', 'never_started')
           AND (r.state = 'pending' OR (r.state = 'crashed' AND r.end_reason = 'lost')),
       a.last_sequence, r.state, CASE WHEN r.state = 'pending' THEN a.end_reason ELSE r.end_reason END,
       coalesce(r.result_number, 0)
FROM unnest($1::text[], $2::text[], $3::integer[]) WITH ORDINALITY AS k (sweep_id, run_id, attempt, i)
JOIN besom.run_attempts a ON a.sweep_id = k.sweep_id AND a.run_id = k.run_id AND a.attempt = k.attempt
JOIN besom.runs r ON r.sweep_id = a.sweep_id AND r.run_id = a.run_id
ORDER BY a.sweep_id, a.run_id, a.attempt
FOR NO KEY UPDATE OF a, r;
