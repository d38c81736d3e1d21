-- Decisions about a run, in order. $1 sweep, $2 run. Called by store_list_decisions.
SELECT sweep_id, run_id, rivals, reason, number, band, reached, attempt, band_index, value, compared, threshold, stop,
       pause, coalesce(cohort, 0), coalesce(bracket, 0), coalesce(planned, 0), decided_at
FROM besom.stop_decisions
WHERE sweep_id = $1 AND run_id = $2
ORDER BY number;
