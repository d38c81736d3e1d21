-- Drops parts of an attempt's output that lie before its newest $4 bytes. $1 sweep, $2 run, $3 attempt.
-- Called by store_trim_logs.
WITH newest AS (
    SELECT first_byte + length(text) AS bytes
    FROM besom.run_logs
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3
    ORDER BY first_byte DESC
    LIMIT 1
)
DELETE FROM besom.run_logs l
USING newest
WHERE l.sweep_id = $1 AND l.run_id = $2 AND l.attempt = $3
  AND l.first_byte + length(l.text) <= newest.bytes - $4;
