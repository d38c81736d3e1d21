-- Inserts a sweep with its project, spec version 1, counter, refill and decider rows, unless its request is known.
-- Gives the id of the sweep that the request made (another one's when it was made before); no row: the id is taken.
-- $1 sweep, $2 project, $3 name, $4 method, $5 metric, $6 program, $7 file name, $8 spec, $9 request, $10 maximize,
-- $11 seed, $12 run cap, $13 grid count or NULL, $14 source, $15 most runs at once, $16 suggestions depend on results,
-- $17 runs pause at rungs, $18 suggestions depend on rung values instead. Called by store_create_sweep.
WITH known AS (
    SELECT sweep_id FROM besom.sweeps WHERE request_id = $9
), project AS (
    INSERT INTO besom.projects (project)
    SELECT $2 WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT DO NOTHING
), sweep AS (
    INSERT INTO besom.sweeps (sweep_id, project, name, method, metric, program, request_id, maximize, seed, run_cap,
                              grid_count, concurrency, learns, pauses, learns_rungs)
    SELECT $1, $2, $3, $4, $5, $6, $9, $10, $11, $12, $13::bigint, $15, $16, $17, $18 WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (sweep_id) DO NOTHING
    RETURNING sweep_id
), spec AS (
    INSERT INTO besom.sweep_specs (sweep_id, version, file_name, source, spec)
    SELECT sweep_id, 1, $7, $14, $8 FROM sweep
), counter AS (
    INSERT INTO besom.sweep_counters (sweep_id) SELECT sweep_id FROM sweep
), refill AS (
    INSERT INTO besom.sweep_refills (sweep_id) SELECT sweep_id FROM sweep
), decider AS (
    INSERT INTO besom.sweep_deciders (sweep_id) SELECT sweep_id FROM sweep
)
SELECT sweep_id FROM known UNION ALL SELECT sweep_id FROM sweep;
