-- Adds to the summaries of metrics; NaN as least or greatest value says that no value was finite. A total that grows
-- beyond all numbers is NaN from then on: an overflow would be an error.
-- Arrays: $1 sweeps, $2 runs, $3 names, $4 attempts, $5 points, $6 last steps, $7 last values, $8 least, $9 greatest,
-- $10 first values, $11 totals, $12 least steps, $13 finite values. Called by store_merge_summaries.
INSERT INTO besom.run_summaries AS s (sweep_id, run_id, name, attempt, points, last_step, last, min, max, first, total,
                                      least_step, finite)
SELECT *
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::double precision[],
            $8::double precision[], $9::double precision[], $10::double precision[], $11::double precision[],
            $12::bigint[], $13::bigint[])
ON CONFLICT (sweep_id, run_id, attempt, name) DO UPDATE
SET points = s.points + excluded.points, last_step = excluded.last_step, last = excluded.last,
    min = least(s.min, excluded.min), -- NaN is greater than every number
    max = CASE WHEN s.max = 'NaN' THEN excluded.max
               WHEN excluded.max = 'NaN' THEN s.max
               ELSE greatest(s.max, excluded.max) END,
    total = CASE WHEN abs(s.total) < 8e307 AND abs(excluded.total) < 8e307 THEN s.total + excluded.total
                 ELSE 'NaN' END,
    least_step = least(s.least_step, excluded.least_step), finite = s.finite + excluded.finite;
