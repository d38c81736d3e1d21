-- Configurations of a sweep's runs that were handed out or ended. $1 sweep, $2 most. Called by store_list_used_params.
SELECT params
FROM besom.runs
WHERE sweep_id = $1 AND NOT (state = 'pending' AND attempt = 0)
LIMIT $2;
