-- Writes verdicts on cohorts. $1 sweep, $2 epoch; arrays: $3 runs, $4 ordinals, $5 cohorts, $6 brackets, $7 band indexes,
-- $8 bands, $9 numbers, $10 promoted, $11 ranks, $12 planned, $13 values, $14 thresholds.
-- Called by store_record_verdicts, with the decider row locked.
INSERT INTO besom.cohort_verdicts (sweep_id, run_id, ordinal, cohort, bracket, band_index, band, number, promoted, rank,
                                   planned, value, threshold, epoch)
SELECT $1, k.*, $2
FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::integer[], $8::bigint[], $9::bigint[],
            $10::boolean[], $11::bigint[], $12::bigint[], $13::double precision[], $14::double precision[]) AS k;
