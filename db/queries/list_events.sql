-- The audit trail, newest first. $1 project ("" = all), $2 sweep, run, agent or token that they are about or by
-- ("" = any), $3 earliest time (NULL = any), $4 number to go on before (0 = from the newest), $5 limit, $6 project and
-- $7 sweep that the caller is bound to ("" = none), $8 whether events of tokens are shown. Called by store_list_events.
SELECT event_id, happened_at, kind, actor, project, sweep_id, subject, detail
FROM besom.events
WHERE ($4 = 0 OR event_id < $4)
  AND ($1 = '' OR project = $1)
  AND ($2 = '' OR sweep_id = $2 OR subject = $2 OR split_part(actor, '/', 1) = $2)
  AND ($3::timestamptz IS NULL OR happened_at >= $3)
  AND ($6 = '' OR project = $6)
  AND ($7 = '' OR sweep_id = $7)
  AND ($8 OR kind NOT LIKE 'token\_%')
ORDER BY event_id DESC
LIMIT $5;
