-- Sets a sweep's state. The lock is the strongest, so that it waits for claims under way and they for it.
-- $1 sweep, $2 state, $3 reason. Called by store_set_sweep_state.
WITH held AS MATERIALIZED (
    SELECT sweep_id FROM besom.sweeps WHERE sweep_id = $1 FOR UPDATE
)
UPDATE besom.sweeps s
SET state = $2, state_reason = $3,
    started_at = CASE WHEN $2 = 'running' THEN coalesce(s.started_at, now()) ELSE s.started_at END,
    ended_at = CASE WHEN $2 IN ('finished', 'canceled') THEN now() END
FROM held
WHERE s.sweep_id = held.sweep_id;
