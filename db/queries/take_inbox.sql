-- Takes an attempt's first inbox rows, in order; none when another transaction is at it. The advisory lock keeps compactors
-- apart without holding up the attempt's batches; the attempt is locked first, as by those who delete it.
-- $1 sweep, $2 run, $3 attempt, $4 most rows, $5 points after which no other row is taken. Called by store_take_inbox.
WITH kept AS MATERIALIZED (
    SELECT attempt FROM besom.run_attempts WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 FOR KEY SHARE
), turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended($1 || '/' || $2 || '/' || attempt, 1)) AS mine FROM kept
), first AS MATERIALIZED (
    SELECT sequence, points
    FROM besom.metric_inbox
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND (SELECT mine FROM turn)
    ORDER BY sequence
    LIMIT $4
), wanted AS MATERIALIZED (
    SELECT max(sequence) AS last
    FROM (SELECT sequence, sum(points) OVER (ORDER BY sequence) - points AS before FROM first) f
    WHERE before < $5
), taken AS (
    DELETE FROM besom.metric_inbox -- batches are stored in order of sequence: nothing comes in below the last
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND sequence <= (SELECT last FROM wanted)
    RETURNING sweep_id, run_id, attempt, points, sequence, payload
)
SELECT sweep_id, run_id, attempt, points, sequence, payload FROM taken ORDER BY sequence;
