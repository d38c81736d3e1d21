-- Attempts that hold their run's lease. Arrays: $1 sweeps, $2 runs, $3 attempts. Called by store_list_held.
SELECT l.sweep_id, l.run_id, l.attempt
FROM unnest($1::text[], $2::text[], $3::integer[]) AS k (sweep_id, run_id, attempt)
JOIN besom.leases l ON l.sweep_id = k.sweep_id AND l.run_id = k.run_id AND l.attempt = k.attempt;
