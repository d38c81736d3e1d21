-- Gives up a sweep's refill row. $1 sweep, $2 owner. Called by store_release_refill.
UPDATE besom.sweep_refills SET owner = '', deadline = '-infinity' WHERE sweep_id = $1 AND owner = $2;
