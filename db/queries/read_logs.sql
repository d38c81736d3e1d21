-- Output from the part on that holds a byte. $1 sweep, $2 run, $3 attempt, $4 offset, $5 limit. Called by store_read_logs.
SELECT sweep_id, run_id, attempt, first_byte, stderr, text
FROM besom.run_logs
WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3
  AND first_byte >= coalesce((SELECT max(first_byte) FROM besom.run_logs
                              WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND first_byte <= $4), 0)
ORDER BY first_byte
LIMIT $5;
