-- Runs that ended within the last minute. $1 sweep. Called by store_count_recent_ends.
SELECT count(*) FROM besom.runs WHERE sweep_id = $1 AND ended_at > now() - interval '1 minute';
