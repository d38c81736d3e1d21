-- Runs of each state and the time they took, for each sweep of $1 (text[]), in its order. A live run whose lease is
-- over counts as unreachable and not as running. Called by store_count_runs, store_count_runs_of.
SELECT coalesce(c.queued, 0), coalesce(c.pending, 0), coalesce(c.live, 0) - l.unreachable, coalesce(c.finished, 0),
       coalesce(c.stopped, 0), coalesce(c.failed, 0), coalesce(c.killed, 0), coalesce(c.crashed, 0), l.unreachable,
       coalesce(c.run_time_ms, 0) + l.run_time_ms, coalesce(c.paused, 0)
FROM unnest($1::text[]) WITH ORDINALITY AS k (sweep_id, i)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'pending' AND attempt = 0) AS queued,
           count(*) FILTER (WHERE state = 'pending' AND attempt > 0) AS pending,
           count(*) FILTER (WHERE state IN ('assigned', 'running', 'preempting')) AS live,
           count(*) FILTER (WHERE state = 'paused') AS paused,
           count(*) FILTER (WHERE state = 'finished') AS finished,
           count(*) FILTER (WHERE state = 'stopped') AS stopped,
           count(*) FILTER (WHERE state = 'failed') AS failed,
           count(*) FILTER (WHERE state = 'killed') AS killed,
           count(*) FILTER (WHERE state = 'crashed') AS crashed,
           sum(run_time_ms)::bigint AS run_time_ms
    FROM besom.runs r
    WHERE r.sweep_id = k.sweep_id
) c
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.expires_at < now()) AS unreachable,
           coalesce(sum(extract(epoch FROM now() - a.started_at) * 1000), 0)::bigint AS run_time_ms
    FROM besom.leases e
    JOIN besom.run_attempts a ON a.sweep_id = e.sweep_id AND a.run_id = e.run_id AND a.attempt = e.attempt
    WHERE e.sweep_id = k.sweep_id
) l
ORDER BY k.i;
