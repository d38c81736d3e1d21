-- A sweep's canonical spec. $1 sweep, $2 version. Called by store_get_spec.
SELECT spec FROM besom.sweep_specs WHERE sweep_id = $1 AND version = $2;
