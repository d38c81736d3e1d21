-- Writes chunks of one attempt, replacing those of the same numbers. $1 sweep, $2 run, $3 attempt; arrays: $4 names,
-- $5 chunks, $6 first steps, $7 last steps, $8 points, $9 encodings, $10 least, $11 greatest, $12 last values, $13 data.
-- Called by store_put_chunks.
INSERT INTO besom.metric_chunks (sweep_id, run_id, attempt, name, chunk, first_step, last_step, points, encoding, min, max, last, data)
SELECT $1, $2, $3, k.*
FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[], $9::smallint[],
            $10::double precision[], $11::double precision[], $12::double precision[], $13::bytea[]) k
ON CONFLICT (sweep_id, run_id, attempt, name, chunk) DO UPDATE
SET first_step = excluded.first_step, last_step = excluded.last_step, points = excluded.points,
    encoding = excluded.encoding, min = excluded.min, max = excluded.max, last = excluded.last, data = excluded.data;
