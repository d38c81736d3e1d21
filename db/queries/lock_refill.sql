-- What an insert of runs depends on, locked until it commits. $1 sweep. Called by store_insert_runs.
SELECT s.state, s.next_ordinal, s.exhausted, s.run_cap, s.prepared, s.spec_version, f.owner, f.epoch
FROM besom.sweeps s
JOIN besom.sweep_refills f ON f.sweep_id = s.sweep_id
WHERE s.sweep_id = $1
FOR NO KEY UPDATE OF s, f;
