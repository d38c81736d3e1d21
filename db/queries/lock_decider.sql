-- The decider row, locked until the decisions commit. $1 sweep. Called by store_record_decisions.
SELECT owner, epoch, decided FROM besom.sweep_deciders WHERE sweep_id = $1 FOR NO KEY UPDATE;
