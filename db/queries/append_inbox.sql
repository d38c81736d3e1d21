-- Keeps acknowledged batches. Arrays: $1 sweeps, $2 runs, $3 attempts, $4 sequences, $5 points, $6 payloads.
-- Called by store_append_inbox.
INSERT INTO besom.metric_inbox (sweep_id, run_id, attempt, sequence, points, payload)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::integer[], $6::bytea[]);
