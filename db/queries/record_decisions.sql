-- Writes decisions and how far they go. $1 sweep, $2 epoch; arrays: $3 runs, $4 rivals, $5 reasons, $6 numbers, $7 bands,
-- $8 reached, $9 attempts, $10 band indexes, $11 values, $12 compared, $13 thresholds, $14 stop.
-- Called by store_record_decisions, with the decider row locked.
WITH new AS MATERIALIZED (
    SELECT *
    FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::integer[],
                $10::integer[], $11::double precision[], $12::double precision[], $13::double precision[],
                $14::boolean[])
        AS k (run_id, rivals, reason, number, band, reached, attempt, band_index, value, compared, threshold, stop)
), added AS (
    INSERT INTO besom.stop_decisions (sweep_id, run_id, rivals, reason, number, band, reached, attempt, band_index,
                                      value, compared, threshold, stop, epoch)
    SELECT $1, run_id, rivals, reason, number, band, reached, attempt, band_index, value, compared, threshold, stop, $2
    FROM new
)
UPDATE besom.sweep_deciders
SET decided = greatest(decided, (SELECT max(number) FROM new))
WHERE sweep_id = $1;
