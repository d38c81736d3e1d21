-- Writes what batches advanced and renews the leases. Arrays: $1 sweeps, $2 runs, $3 attempts, $4 last sequences, $5 rows
-- that hold the metric, $6 log bytes, $7 dropped lines, $8 best values, $9 preempting marks, $10 bands reached,
-- $11 next steps, $12 there are facts, $13 sums of the metric; $14 lease in milliseconds. Called by store_save_attempts,
-- with the attempts locked by lock_attempts.
WITH new AS MATERIALIZED (
    SELECT *
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::double precision[], $9::boolean[], $10::integer[], $11::bigint[], $12::boolean[],
                $13::double precision[])
        AS t (sweep_id, run_id, attempt, last_sequence, metric_rows, log_bytes, dropped_lines, best_value, preempting,
              bands_reached, next_step, has_facts, metric_total)
), saved AS (
    UPDATE besom.run_attempts a
    SET last_sequence = new.last_sequence, metric_rows = new.metric_rows, log_bytes = new.log_bytes,
        dropped_lines = new.dropped_lines, best_value = new.best_value, preempting = new.preempting,
        bands_reached = new.bands_reached, next_step = new.next_step, has_facts = new.has_facts,
        metric_total = new.metric_total
    FROM new
    WHERE a.sweep_id = new.sweep_id AND a.run_id = new.run_id AND a.attempt = new.attempt
)
UPDATE besom.leases l
SET expires_at = clock_timestamp() + $14 * interval '1 millisecond'
FROM new
WHERE l.sweep_id = new.sweep_id AND l.run_id = new.run_id AND l.attempt = new.attempt;
