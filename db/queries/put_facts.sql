-- Keeps what programs said of their runs; gives the places, from 1, of facts that are one too many for their attempt and
-- were left out. Arrays: $1 sweeps, $2 runs, $3 attempts, $4 kinds, $5 names, $6 values; $7 most facts of an attempt.
-- Called by store_put_facts, with the attempts locked.
WITH new AS MATERIALIZED (
    SELECT *
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
        AS k (sweep_id, run_id, attempt, kind, name, value, i)
), counted AS MATERIALIZED (
    SELECT k.*, (SELECT count(*) FROM besom.run_facts f
                 WHERE f.sweep_id = k.sweep_id AND f.run_id = k.run_id AND f.attempt = k.attempt) AS facts
    FROM (SELECT DISTINCT sweep_id, run_id, attempt FROM new) k
), known AS MATERIALIZED (
    SELECT new.*, EXISTS (SELECT FROM besom.run_facts f
                          WHERE f.sweep_id = new.sweep_id AND f.run_id = new.run_id AND f.attempt = new.attempt
                            AND f.kind = new.kind AND f.name = new.name) AS is_known
    FROM new
), placed AS MATERIALIZED (
    SELECT known.*,
           is_known OR counted.facts + row_number() OVER (PARTITION BY sweep_id, run_id, attempt, is_known ORDER BY i) <= $7
               AS fits
    FROM known
    JOIN counted USING (sweep_id, run_id, attempt)
), put AS (
    INSERT INTO besom.run_facts (sweep_id, run_id, attempt, kind, name, value)
    SELECT sweep_id, run_id, attempt, kind, name, value FROM placed WHERE fits
    ON CONFLICT (sweep_id, run_id, attempt, kind, name) DO UPDATE SET value = excluded.value
)
SELECT i FROM placed WHERE NOT fits ORDER BY i;
