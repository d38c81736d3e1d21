-- A run of its agent's own configuration, handed to it. $1 sweep, $2 run, $3 agent, $4 slot, $5 counter, $6 ordinal,
-- $7 params, $8 hash, $9 seed, $10 name, $11 lease in milliseconds. Called by store_submit_run, with the sweep locked and
-- the ordinal its next.
WITH run AS (
    INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, unique_config, run_seed, state,
                            attempt, name)
    SELECT sweep_id, $2, $6, spec_version, $7, $8, false, $9, 'assigned', 1, $10
    FROM besom.sweeps
    WHERE sweep_id = $1
), attempt AS (
    INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter) VALUES ($1, $2, 1, $3, $4, $5)
), lease AS (
    INSERT INTO besom.leases (sweep_id, run_id, attempt, agent_id, expires_at)
    VALUES ($1, $2, 1, $3, clock_timestamp() + $11 * interval '1 millisecond')
), reason AS (
    INSERT INTO besom.suggestions (sweep_id, ordinal, spec_version, result_cursor, epoch, why)
    SELECT sweep_id, $6, spec_version, 0, 0, '{"method": "none"}' FROM besom.sweeps WHERE sweep_id = $1
)
UPDATE besom.sweeps SET next_ordinal = next_ordinal + 1, prepared = prepared + 1 WHERE sweep_id = $1;
