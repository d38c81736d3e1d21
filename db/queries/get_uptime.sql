-- For how many milliseconds the database has been up, and its clock. No parameters. Called by store_get_uptime.
SELECT (extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) * 1000)::bigint, clock_timestamp();
