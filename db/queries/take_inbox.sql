-- Takes an attempt's inbox rows, in order; none when another transaction is at it. The advisory lock keeps compactors
-- apart without holding up the attempt's batches; the attempt is locked first, as by those who delete it.
-- $1 sweep, $2 run, $3 attempt, $4 limit. Called by store_take_inbox.
WITH kept AS MATERIALIZED (
    SELECT attempt FROM besom.run_attempts WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 FOR KEY SHARE
), turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended($1 || '/' || $2 || '/' || attempt, 1)) AS mine FROM kept
), first AS MATERIALIZED (
    SELECT sequence
    FROM besom.metric_inbox
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND (SELECT mine FROM turn)
    ORDER BY sequence
    LIMIT $4
), taken AS (
    DELETE FROM besom.metric_inbox
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND sequence = ANY (ARRAY(SELECT sequence FROM first))
    RETURNING sweep_id, run_id, attempt, points, sequence, payload
)
SELECT sweep_id, run_id, attempt, points, sequence, payload FROM taken ORDER BY sequence;
