-- Takes a sweep's decider row when it is free, over, or the owner's already. No row: someone else holds it.
-- $1 sweep, $2 owner, $3 milliseconds. Called by store_take_decider.
UPDATE besom.sweep_deciders
SET epoch = epoch + CASE WHEN owner = $2 THEN 0 ELSE 1 END, owner = $2,
    deadline = clock_timestamp() + $3 * interval '1 millisecond'
WHERE sweep_id = $1 AND (owner = $2 OR owner = '' OR deadline < clock_timestamp())
RETURNING epoch, decided;
