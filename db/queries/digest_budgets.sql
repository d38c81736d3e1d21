-- A digest of all rung values and ends up to a number: another one when a run that ended has another state, or was deleted.
-- $1 sweep, $2 number. Called by store_digest_budgets.
SELECT coalesce(bit_xor(hashtextextended(concat_ws(' ', v.run_id, v.kind, v.value,
                                                   CASE WHEN v.kind = 'ended' THEN r.state END), v.number)), 0)
FROM besom.rung_values v
JOIN besom.runs r ON r.sweep_id = v.sweep_id AND r.run_id = v.run_id
WHERE v.sweep_id = $1 AND v.number <= $2;
