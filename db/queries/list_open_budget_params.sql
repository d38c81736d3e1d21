-- Configurations of runs below an ordinal that had neither ended nor brought a value to a rung up to a number, in order of
-- ordinal. Each of the two has an index of its own. $1 sweep, $2 ordinal, $3 number, $4 band index (-1 = whole runs).
-- Called by store_list_open_budget_params.
SELECT r.params
FROM besom.runs r
WHERE r.sweep_id = $1 AND r.ordinal < $2
  AND NOT EXISTS (SELECT FROM besom.rung_values v
                  WHERE v.sweep_id = $1 AND v.kind = 'ended' AND v.ordinal = r.ordinal AND v.run_id = r.run_id
                    AND v.number <= $3)
  AND NOT EXISTS (SELECT FROM besom.rung_values v
                  WHERE v.sweep_id = $1 AND v.kind = 'value' AND v.run_id = r.run_id AND v.band_index = $4
                    AND v.number <= $3)
ORDER BY r.ordinal;
