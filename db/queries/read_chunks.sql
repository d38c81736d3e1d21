-- Chunks of an attempt by name and number, after one of them. $1 sweep, $2 run, $3 attempt, $4 names (text[], empty = all),
-- $5 and $6 name and number to go on after ($5 NULL = from the start), $7 limit. Called by store_read_chunks.
SELECT name, chunk, first_step, last_step, points, encoding, min, max, last, data
FROM besom.metric_chunks
WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3
  AND (cardinality($4::text[]) = 0 OR name = ANY ($4))
  AND ($5::text IS NULL OR (name, chunk) > ($5, $6))
ORDER BY name, chunk
LIMIT $7;
