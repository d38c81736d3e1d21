-- Live sweeps whose newest rung value has no decision. No parameters. Called by store_list_undecided.
SELECT s.sweep_id
FROM besom.sweeps s
JOIN besom.sweep_counters c ON c.sweep_id = s.sweep_id
JOIN besom.sweep_deciders d ON d.sweep_id = s.sweep_id
WHERE s.state IN ('pending', 'running', 'paused') AND c.rung_values > d.decided
ORDER BY s.sweep_id;
