-- The last chunk of each metric of an attempt. $1 sweep, $2 run, $3 attempt. Called by store_list_last_chunks.
SELECT DISTINCT ON (name) name, chunk, first_step, last_step, points, encoding, min, max, last, data
FROM besom.metric_chunks
WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3
ORDER BY name, chunk DESC;
