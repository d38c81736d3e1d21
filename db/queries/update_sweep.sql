-- Makes the next version of a sweep's spec the current one; its first ordinal is the next that is prepared.
-- $1 sweep, $2 name, $3 program, $4 file name, $5 spec, $6 run cap, $7 grid count or NULL, $8 most runs at once,
-- $9 source. Called by store_update_sweep under lock_sweep.
WITH version AS (
    INSERT INTO besom.sweep_specs (sweep_id, version, file_name, source, spec, first_ordinal)
    SELECT sweep_id, spec_version + 1, $4, $9, $5, next_ordinal FROM besom.sweeps WHERE sweep_id = $1
    RETURNING version
)
UPDATE besom.sweeps
SET spec_version = version.version, name = $2, program = $3, run_cap = $6, grid_count = $7::bigint, concurrency = $8,
    exhausted = false
FROM version
WHERE sweep_id = $1
RETURNING spec_version;
