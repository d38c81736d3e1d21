-- Inserts runs and why they were suggested; of unique configurations those that exist already, or that a prior run
-- has, are left out. Gives their number. What is exhausted has as many points as were prepared.
-- $1 sweep, $2 spec version, $3 result cursor, $4 unique configurations, $5 epoch, $6 exhausted, $7 ordinals used up;
-- arrays: $8 run ids, $9 ordinals, $10 params, $11 why, $12 hashes, $13 seeds.
-- Called by store_insert_runs under lock_refill.
WITH new AS (
    SELECT *
    FROM unnest($8::text[], $9::bigint[], $10::text[], $11::text[], $12::bytea[], $13::bigint[])
        AS t (run_id, ordinal, params, why, config_hash, run_seed)
), inserted AS (
    INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, unique_config, run_seed,
                            fresh_until)
    SELECT $1, run_id, ordinal, $2, params, config_hash, $4, run_seed,
           (SELECT CASE WHEN learns THEN $3::bigint END FROM besom.sweeps WHERE sweep_id = $1)
    FROM new
    WHERE NOT $4 OR NOT EXISTS (SELECT FROM besom.prior_runs p
                                WHERE p.sweep_id = $1 AND p.config_hash = new.config_hash)
    ORDER BY ordinal
    ON CONFLICT (sweep_id, config_hash) WHERE unique_config DO NOTHING
    RETURNING ordinal
), reasons AS (
    INSERT INTO besom.suggestions (sweep_id, ordinal, spec_version, result_cursor, epoch, why)
    SELECT $1, new.ordinal, $2, $3, $5, new.why FROM new JOIN inserted ON inserted.ordinal = new.ordinal
)
UPDATE besom.sweeps
SET next_ordinal = next_ordinal + $7, exhausted = exhausted OR $6,
    grid_count = CASE WHEN $6 AND grid_count IS NOT NULL THEN prepared + (SELECT count(*) FROM inserted)
                      ELSE grid_count END,
    prepared = prepared + (SELECT count(*) FROM inserted)
WHERE sweep_id = $1
RETURNING (SELECT count(*) FROM inserted);
