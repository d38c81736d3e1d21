-- Gives rung values the next numbers of their sweeps, in order; one row for each. Arrays: $1 sweeps, $2 runs, $3 attempts,
-- $4 band indexes, $5 bands, $6 values, $7 best values, $8 means. Called by store_add_rung_values.
WITH new AS MATERIALIZED (
    SELECT k.*, row_number() OVER (PARTITION BY sweep_id ORDER BY i) AS n
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::bigint[], $6::double precision[],
                $7::double precision[], $8::double precision[]) WITH ORDINALITY
        AS k (sweep_id, run_id, attempt, band_index, band, value, best, mean, i)
), counters AS (
    UPDATE besom.sweep_counters c
    SET rung_values = c.rung_values + total.n
    FROM (SELECT sweep_id, count(*) AS n FROM new GROUP BY sweep_id ORDER BY sweep_id) total
    WHERE c.sweep_id = total.sweep_id
    RETURNING c.sweep_id, c.rung_values - total.n AS base
), added AS (
    INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, mean, ordinal)
    SELECT new.sweep_id, counters.base + new.n, new.run_id, new.attempt, band_index, band, value, best, mean, r.ordinal
    FROM new
    JOIN counters ON counters.sweep_id = new.sweep_id
    LEFT JOIN besom.runs r ON r.sweep_id = new.sweep_id AND r.run_id = new.run_id
)
SELECT counters.base + new.n FROM new JOIN counters ON counters.sweep_id = new.sweep_id ORDER BY new.i;
