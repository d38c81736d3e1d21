-- Keeps output; what comes first at an offset stands. Arrays: $1 sweeps, $2 runs, $3 attempts, $4 offsets, $5 is stderr, $6 texts. Called by store_append_logs.
INSERT INTO besom.run_logs (sweep_id, run_id, attempt, first_byte, stderr, text)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::boolean[], $6::bytea[])
ON CONFLICT DO NOTHING;
