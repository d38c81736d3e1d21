-- Deletes a sweep and what refers to it; delete_sweep_rest must follow. $1 sweep. Called by store_delete_sweep.
DELETE FROM besom.sweeps WHERE sweep_id = $1;
