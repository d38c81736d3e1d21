-- What runs came to at a rung, in order of their numbers: number, params, state, value, id, and of those that failed the
-- last value of the metric. A run that failed before it got there has failed. $1 sweep, $2 after this number, $3 up to this
-- one, $4 band index (-1 = whole runs). Called by store_list_budget_results.
SELECT v.number, r.params, CASE WHEN v.value = 'NaN' THEN r.state ELSE 'finished' END, v.value, r.run_id,
       CASE WHEN v.value = 'NaN'
            THEN (SELECT s.last
                  FROM besom.run_summaries s
                  JOIN besom.sweeps w ON w.sweep_id = s.sweep_id
                  WHERE s.sweep_id = r.sweep_id AND s.run_id = r.run_id AND s.name = w.metric
                  ORDER BY s.attempt DESC
                  LIMIT 1) END
FROM besom.rung_values v
JOIN besom.runs r ON r.sweep_id = v.sweep_id AND r.run_id = v.run_id
WHERE v.sweep_id = $1 AND v.number > $2 AND v.number <= $3
  AND ((v.kind = 'value' AND v.band_index = $4)
       OR (v.kind = 'ended' AND $4 = -1 AND v.value <> 'NaN')
       OR (v.kind = 'ended' AND v.value = 'NaN' AND r.state IN ('failed', 'killed', 'crashed')
           AND NOT EXISTS (SELECT FROM besom.rung_values o
                           WHERE o.sweep_id = $1 AND o.run_id = v.run_id AND o.kind = 'value' AND o.band_index = $4)))
ORDER BY v.number;
