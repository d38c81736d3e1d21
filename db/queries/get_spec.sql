-- A version of a sweep's canonical spec, and the ordinal that is its first. $1 sweep, $2 version. Called by store_get_spec.
SELECT spec, first_ordinal FROM besom.sweep_specs WHERE sweep_id = $1 AND version = $2;
