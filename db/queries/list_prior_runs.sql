-- Runs of other sweeps that a sweep begins with, in order: params, state, objective. $1 sweep.
-- Called by store_list_prior_runs.
SELECT params, state, objective FROM besom.prior_runs WHERE sweep_id = $1 ORDER BY position;
