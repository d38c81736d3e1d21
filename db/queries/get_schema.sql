-- What is there and for whom. No parameters. Called by store_check_schema.
SELECT version, oldest_compatible_binary FROM besom.schema_info;
