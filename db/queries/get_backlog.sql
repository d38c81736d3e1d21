-- What waits in all sweeps, for monitoring: rows and points of the inbox and queued runs of sweeps that hand out, each
-- counted up to $1, and the standbys by how commits wait for them (unknown: this role may not see it). Called by
-- store_get_backlog.
SELECT inbox.rows, inbox.points, queue.runs, standbys.synchronous, standbys.asynchronous, standbys.unknown
  FROM (SELECT count(*) AS rows, coalesce(sum(points), 0)::bigint AS points
          FROM (SELECT points FROM besom.metric_inbox LIMIT $1::bigint) AS found) AS inbox,
       (SELECT count(*) AS runs
          FROM (SELECT 1
                  FROM besom.sweeps s
                  JOIN besom.runs r ON r.sweep_id = s.sweep_id AND r.state = 'pending'
                 WHERE s.state IN ('pending', 'running')
                 LIMIT $1::bigint) AS found) AS queue,
       (SELECT count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous,
               count(*) FILTER (WHERE sync_state IN ('async', 'potential')) AS asynchronous,
               count(*) FILTER (WHERE sync_state IS NULL) AS unknown
          FROM pg_stat_replication) AS standbys;
