-- Why a host is quarantined for a sweep: the reason of the agent that was it last, within a day. No row: it is not, or no
-- run of the sweep finished on another host, so that the fault may be the sweep's, or the agent that asks has runs which
-- would be lost. $1 sweep, $2 host, $3 agent. Called by store_get_quarantine.
SELECT g.retire_reason
FROM besom.agents g
WHERE g.sweep_id = $1 AND g.host = $2 AND g.quarantined AND g.retired_at > now() - interval '24 hours'
  AND NOT EXISTS (SELECT FROM besom.leases l WHERE l.sweep_id = $1 AND l.agent_id = $3)
  AND EXISTS (SELECT
              FROM besom.runs r
              JOIN besom.run_attempts a
                  ON a.sweep_id = r.sweep_id AND a.run_id = r.run_id AND a.attempt = r.attempt
              JOIN besom.agents o ON o.sweep_id = a.sweep_id AND o.agent_id = a.agent_id
              WHERE r.sweep_id = $1 AND r.state = 'finished' AND o.host <> $2)
ORDER BY g.retired_at DESC
LIMIT 1;
