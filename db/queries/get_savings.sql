-- What stopping early saved: rows and time of finished and of stopped runs, and an estimate of what the stopped ones did
-- not use, the rows that they logged less than a finished one on average, each at the average time of a finished run's
-- row. $1 sweep. Called by store_get_savings.
WITH ended AS (
    SELECT r.state, r.run_time_ms, coalesce(a.metric_rows, 0) AS row_count
    FROM besom.runs r
    LEFT JOIN besom.run_attempts a ON a.sweep_id = r.sweep_id AND a.run_id = r.run_id AND a.attempt = r.attempt
    WHERE r.sweep_id = $1 AND r.state IN ('finished', 'stopped')
), finished AS (
    SELECT count(*) AS runs, coalesce(sum(row_count), 0)::bigint AS row_count,
           coalesce(sum(run_time_ms), 0)::bigint AS run_time_ms,
           coalesce(avg(row_count), 0) AS mean_rows
    FROM ended
    WHERE state = 'finished'
), stopped AS (
    SELECT count(*) AS runs, coalesce(sum(e.row_count), 0)::bigint AS row_count,
           coalesce(sum(e.run_time_ms), 0)::bigint AS run_time_ms,
           coalesce(sum(greatest(f.mean_rows - e.row_count, 0)), 0) AS rows_saved
    FROM ended e
    CROSS JOIN finished f
    WHERE e.state = 'stopped'
)
SELECT f.runs, f.row_count, f.run_time_ms, s.runs, s.row_count, s.run_time_ms, round(s.rows_saved)::bigint,
       CASE WHEN f.row_count > 0 THEN round(s.rows_saved * f.run_time_ms / f.row_count)::bigint ELSE 0 END
FROM finished f
CROSS JOIN stopped s;
