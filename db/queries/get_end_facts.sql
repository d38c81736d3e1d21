-- What decides how an attempt ended: its newest directive, where any other outweighs a pause, and the preempting mark.
-- $1 sweep, $2 run, $3 attempt.
-- Called by store_get_end_facts.
SELECT d.kind, d.reason, a.preempting, r.spec_version
FROM besom.run_attempts a
JOIN besom.runs r ON r.sweep_id = a.sweep_id AND r.run_id = a.run_id
LEFT JOIN LATERAL (
    SELECT kind, reason
    FROM besom.directives
    WHERE sweep_id = $1 AND run_id = $2 AND attempt = $3
    ORDER BY kind = 'pause', generation DESC
    LIMIT 1
) d ON true
WHERE a.sweep_id = $1 AND a.run_id = $2 AND a.attempt = $3;
