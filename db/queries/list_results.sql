-- What runs came to, in order of their result numbers: number, params, state, objective, id, and of those that failed the
-- last value of the metric. A number whose run goes on again, or was deleted, is left out. $1 sweep, $2 after this number,
-- $3 up to this one. Called by store_list_results.
SELECT r.result_number, r.params, r.state, r.objective, r.run_id,
       CASE WHEN r.state IN ('failed', 'killed', 'crashed')
            THEN (SELECT s.last
                  FROM besom.run_summaries s
                  JOIN besom.sweeps w ON w.sweep_id = s.sweep_id
                  WHERE s.sweep_id = r.sweep_id AND s.run_id = r.run_id AND s.name = w.metric
                  ORDER BY s.attempt DESC
                  LIMIT 1) END
FROM besom.runs r
WHERE r.sweep_id = $1 AND r.result_number > $2 AND r.result_number <= $3
  AND r.state IN ('finished', 'stopped', 'failed', 'killed', 'crashed')
ORDER BY r.result_number;
