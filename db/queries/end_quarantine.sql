-- Lets a host serve a sweep again. $1 sweep, $2 host. Called by store_end_quarantine.
UPDATE besom.agents SET quarantined = false WHERE sweep_id = $1 AND host = $2 AND quarantined;
