-- How many runs have brought a value to each rung, up to a number: band index (-1 = whole runs), count. Of runs that were
-- deleted nothing is known. $1 sweep, $2 number. Called by store_count_budgets.
SELECT v.band_index, count(*)
FROM besom.rung_values v
JOIN besom.runs r ON r.sweep_id = v.sweep_id AND r.run_id = v.run_id
WHERE v.sweep_id = $1 AND v.number <= $2 AND (v.kind = 'value' OR (v.kind = 'ended' AND v.value <> 'NaN'))
GROUP BY v.band_index;
