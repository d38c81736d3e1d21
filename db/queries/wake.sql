-- Wakes the listeners of every replica. $1 payload. Called by store_wake.
SELECT pg_notify('besom_wake', $1);
