-- As list_chunks, with data. Called by store_read_chunks.
SELECT name, chunk, first_step, last_step, points, encoding, min, max, last, data
FROM besom.metric_chunks
WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND name = $4 AND chunk BETWEEN $5 AND $6
ORDER BY chunk
LIMIT $7;
