-- Attempts with rows in the inbox in order of their keys, after one of them, at most $4; and whether each is due: it has
-- ended, or $5 points of each of its metrics are there, or $6 in all, or a thousand rows, or some have waited for long.
-- The first and the last row tell how many there can be: only where that is enough they are counted. $1 sweep, $2 run,
-- $3 attempt to go on after. Called by store_list_compactions.
WITH RECURSIVE attempts AS (
    (SELECT sweep_id, run_id, attempt, sequence, points, received_at, 1 AS number
     FROM besom.metric_inbox
     WHERE (sweep_id, run_id, attempt) > ($1, $2, $3)
     ORDER BY sweep_id, run_id, attempt, sequence
     LIMIT 1)
    UNION ALL
    SELECT i.sweep_id, i.run_id, i.attempt, i.sequence, i.points, i.received_at, a.number + 1
    FROM attempts a
    CROSS JOIN LATERAL (
        SELECT sweep_id, run_id, attempt, sequence, points, received_at
        FROM besom.metric_inbox
        WHERE (sweep_id, run_id, attempt) > (a.sweep_id, a.run_id, a.attempt)
        ORDER BY sweep_id, run_id, attempt, sequence
        LIMIT 1
    ) i
    WHERE a.number < $4
)
SELECT a.sweep_id, a.run_id, a.attempt,
       r.ended_at IS NOT NULL
       OR (w.points >= 100 AND a.received_at < now() - interval '10 minutes')
       OR (w.points >= least($5::bigint, $6::bigint)
           AND (SELECT count(*) = 1000
                       OR sum(i.points) >= least($6, $5 * greatest(1, (SELECT count(*)
                                                                       FROM (SELECT
                                                                             FROM besom.run_summaries s
                                                                             WHERE s.sweep_id = a.sweep_id
                                                                               AND s.run_id = a.run_id
                                                                               AND s.attempt = a.attempt
                                                                             LIMIT $6 / $5) s)))
                FROM (SELECT points
                      FROM besom.metric_inbox
                      WHERE sweep_id = a.sweep_id AND run_id = a.run_id AND attempt = a.attempt
                      ORDER BY sequence
                      LIMIT 1000) i))
FROM attempts a
JOIN besom.run_attempts r ON r.sweep_id = a.sweep_id AND r.run_id = a.run_id AND r.attempt = a.attempt
CROSS JOIN LATERAL (
    SELECT (i.sequence - a.sequence + 1) * greatest(a.points, i.points) AS points
    FROM besom.metric_inbox i
    WHERE i.sweep_id = a.sweep_id AND i.run_id = a.run_id AND i.attempt = a.attempt
    ORDER BY i.sequence DESC
    LIMIT 1
) w
ORDER BY a.number;
