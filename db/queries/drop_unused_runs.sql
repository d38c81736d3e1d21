-- Deletes runs that nobody was ever given, with why they were suggested, and counts them as never prepared. Gives their
-- number. $1 sweep. Called by store_update_sweep under lock_sweep.
WITH dropped AS (
    DELETE FROM besom.runs
    WHERE sweep_id = $1 AND state = 'pending' AND attempt = 0
    RETURNING ordinal
), reasons AS (
    DELETE FROM besom.suggestions g
    USING dropped
    WHERE g.sweep_id = $1 AND g.ordinal = dropped.ordinal
)
UPDATE besom.sweeps
SET prepared = prepared - (SELECT count(*) FROM dropped)
WHERE sweep_id = $1
RETURNING (SELECT count(*) FROM dropped);
