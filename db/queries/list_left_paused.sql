-- Sweeps that are over and have runs that paused as they ended, with its state. No parameters.
-- Called by store_list_left_paused.
SELECT s.sweep_id, s.state
FROM besom.sweeps s
WHERE s.pauses AND s.state IN ('finished', 'canceled')
  AND EXISTS (SELECT FROM besom.runs r WHERE r.sweep_id = s.sweep_id AND r.state = 'paused')
ORDER BY s.sweep_id;
