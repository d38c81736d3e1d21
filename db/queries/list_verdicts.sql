-- Verdicts on a run, in order of their rungs. $1 sweep, $2 run. Called by store_list_verdicts.
SELECT run_id, ordinal, cohort, bracket, band_index, band, number, promoted, rank, planned, value, threshold, decided_at
FROM besom.cohort_verdicts
WHERE sweep_id = $1 AND run_id = $2
ORDER BY band_index;
