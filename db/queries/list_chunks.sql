-- Chunks of one metric of an attempt from number $5 to $6, in order, without data. $1 sweep, $2 run, $3 attempt, $4 name,
-- $7 limit. Called by store_list_chunks.
SELECT name, chunk, first_step, last_step, points, encoding, min, max, last, ''::bytea
FROM besom.metric_chunks
WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND name = $4 AND chunk BETWEEN $5 AND $6
ORDER BY chunk
LIMIT $7;
