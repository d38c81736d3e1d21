-- Deletes a sweep's rows in tables that do not refer to it (the hot ones); the audit trail stays.
-- $1 sweep. Called by store_delete_sweep after delete_sweep, which has ended every writer of them.
WITH inbox AS (
    DELETE FROM besom.metric_inbox WHERE sweep_id = $1
)
DELETE FROM besom.run_summaries WHERE sweep_id = $1;
