-- Ends entries of summaries whose metrics were logged again. Arrays: $1 sweeps, $2 runs, $3 attempts, $4 names.
-- Called by store_delete_facts, with the attempts locked.
DELETE FROM besom.run_facts f
USING unnest($1::text[], $2::text[], $3::integer[], $4::text[]) AS k (sweep_id, run_id, attempt, name)
WHERE f.sweep_id = k.sweep_id AND f.run_id = k.run_id AND f.attempt = k.attempt AND f.kind = 'summary'
  AND f.name = k.name;
