-- Inbox rows of a run's attempts from $3 to $4 after an attempt's sequence, in order. $1 sweep, $2 run, $5 attempt and $6
-- sequence to go on after, $7 most rows, $8 points after which no other row is given. Called by store_read_inbox.
SELECT sweep_id, run_id, attempt, points, sequence, payload
FROM (SELECT *, sum(points) OVER (ORDER BY attempt, sequence) - points AS before
      FROM (SELECT sweep_id, run_id, attempt, points, sequence, payload
            FROM besom.metric_inbox
            WHERE sweep_id = $1 AND run_id = $2 AND attempt BETWEEN $3 AND $4
              AND (attempt, sequence) > ($5, $6)
            ORDER BY attempt, sequence
            LIMIT $7) r) s
WHERE before < $8
ORDER BY attempt, sequence;
