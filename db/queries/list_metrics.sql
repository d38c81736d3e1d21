-- Metrics that have chunks, with the number and points of each one's last, of a run's attempts from $3 to $4, in order of
-- attempt and name. $1 sweep, $2 run, $5 names (text[], empty = all), $6 most. Called by store_list_metrics.
WITH RECURSIVE metrics AS (
    (SELECT attempt, name, 1 AS number
     FROM besom.metric_chunks
     WHERE sweep_id = $1 AND run_id = $2 AND attempt BETWEEN $3 AND $4 AND cardinality($5::text[]) = 0
     ORDER BY attempt, name
     LIMIT 1)
    UNION ALL
    SELECT k.attempt, k.name, m.number + 1
    FROM metrics m
    CROSS JOIN LATERAL (
        SELECT attempt, name
        FROM besom.metric_chunks
        WHERE sweep_id = $1 AND run_id = $2 AND attempt <= $4 AND (attempt, name) > (m.attempt, m.name)
        ORDER BY attempt, name
        LIMIT 1
    ) k
    WHERE m.number < $6
), wanted AS (
    SELECT attempt, name FROM metrics
    UNION ALL
    SELECT a.attempt, n.name
    FROM unnest($5::text[]) n (name)
    JOIN besom.run_attempts a ON a.sweep_id = $1 AND a.run_id = $2 AND a.attempt BETWEEN $3 AND $4
)
SELECT w.attempt, w.name, k.chunk, k.points
FROM wanted w
CROSS JOIN LATERAL (
    SELECT chunk, points
    FROM besom.metric_chunks
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = w.attempt AND name = w.name
    ORDER BY chunk DESC
    LIMIT 1
) k
ORDER BY w.attempt, w.name;
