-- The standbys by how this session's commits wait for them (unknown: they may, but this role may not see it), and its
-- synchronous_commit. Base backups and subscriptions are no standbys. No parameters. Called by store_get_replication.
SELECT count(*) FILTER (WHERE mode = 'synchronous') AS synchronous,
       count(*) FILTER (WHERE mode = 'asynchronous') AS asynchronous,
       count(*) FILTER (WHERE mode = 'unknown') AS unknown,
       current_setting('synchronous_commit') AS synchronous_commit
  FROM (SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'asynchronous'
                    WHEN current_setting('synchronous_standby_names') = '' THEN 'asynchronous'
                    WHEN r.sync_state IS NULL THEN 'unknown'
                    WHEN r.sync_state IN ('sync', 'quorum') THEN 'synchronous'
                    ELSE 'asynchronous' END AS mode
          FROM pg_stat_replication r
         WHERE r.application_name IS DISTINCT FROM 'pg_basebackup'
           AND NOT EXISTS (SELECT 1 FROM pg_replication_slots s
                            WHERE s.active_pid = r.pid AND s.slot_type = 'logical')) AS standbys;
