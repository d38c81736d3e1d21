-- Writes decisions and how far they go. $1 sweep, $2 epoch, $3 number up to which all is decided; arrays: $4 runs,
-- $5 rivals, $6 reasons, $7 numbers, $8 bands, $9 reached, $10 attempts, $11 band indexes, $12 values, $13 compared,
-- $14 thresholds, $15 stop, $16 pause, $17 cohorts, $18 brackets, $19 planned (0 = no cohort).
-- Called by store_record_decisions, store_record_verdicts, with the decider row locked.
WITH added AS (
    INSERT INTO besom.stop_decisions (sweep_id, run_id, rivals, reason, number, band, reached, attempt, band_index,
                                      value, compared, threshold, stop, pause, cohort, bracket, planned, epoch)
    SELECT $1, run_id, rivals, reason, number, band, reached, attempt, band_index, value, compared, threshold, stop, pause,
           CASE WHEN planned > 0 THEN cohort END, CASE WHEN planned > 0 THEN bracket END,
           CASE WHEN planned > 0 THEN planned END, $2
    FROM unnest($4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::integer[],
                $11::integer[], $12::double precision[], $13::double precision[], $14::double precision[],
                $15::boolean[], $16::boolean[], $17::bigint[], $18::integer[], $19::bigint[])
        AS k (run_id, rivals, reason, number, band, reached, attempt, band_index, value, compared, threshold, stop, pause,
              cohort, bracket, planned)
)
UPDATE besom.sweep_deciders
SET decided = greatest(decided, $3)
WHERE sweep_id = $1;
