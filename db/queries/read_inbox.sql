-- An attempt's inbox rows after a sequence, in order. $1 sweep, $2 run, $3 attempt, $4 sequence, $5 limit.
-- Called by store_read_inbox.
SELECT sweep_id, run_id, attempt, points, sequence, payload
FROM besom.metric_inbox
WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3 AND sequence > $4
ORDER BY sequence
LIMIT $5;
