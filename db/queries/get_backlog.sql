-- What waits in all sweeps, for monitoring: rows and points of the inbox and queued runs of sweeps that hand out, each
-- counted up to $1. Called by store_get_backlog.
SELECT inbox.rows, inbox.points, queue.runs
  FROM (SELECT count(*) AS rows, coalesce(sum(points), 0)::bigint AS points
          FROM (SELECT points FROM besom.metric_inbox LIMIT $1::bigint) AS found) AS inbox,
       (SELECT count(*) AS runs
          FROM (SELECT 1
                  FROM besom.sweeps s
                  JOIN besom.runs r ON r.sweep_id = s.sweep_id AND r.state = 'pending'
                 WHERE s.state IN ('pending', 'running')
                 LIMIT $1::bigint) AS found) AS queue;
