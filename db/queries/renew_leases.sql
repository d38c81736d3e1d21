-- Renews leases of attempts that hold one, in the order of the keys. Arrays: $1 sweeps, $2 runs, $3 attempts; $4 lease in
-- milliseconds. Called by store_renew_leases.
UPDATE besom.leases l
SET expires_at = clock_timestamp() + $4 * interval '1 millisecond'
FROM unnest($1::text[], $2::text[], $3::integer[]) AS k (sweep_id, run_id, attempt)
WHERE l.sweep_id = k.sweep_id AND l.run_id = k.run_id AND l.attempt = k.attempt;
