-- The last chunk of metrics of an attempt in the order of the names, without data when it has $5 points or more. $1 sweep, $2 run, $3 attempt,
-- $4 names (text[]). Called by store_list_last_chunks.
SELECT k.name, k.chunk, k.first_step, k.last_step, k.points, k.encoding, k.min, k.max, k.last,
       CASE WHEN k.points < $5 THEN k.data ELSE '' END
FROM unnest($4::text[]) WITH ORDINALITY n (name, i)
CROSS JOIN LATERAL (
    SELECT *
    FROM besom.metric_chunks
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND name = n.name
    ORDER BY chunk DESC
    LIMIT 1
) k
ORDER BY n.i;
