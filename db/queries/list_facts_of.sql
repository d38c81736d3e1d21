-- What programs said of their runs, the newest of each kind and name, by run, kind and name (as bytes); of each run and
-- kind the first $3 bytes. $1 sweep, $2 runs (text[]). Called by store_list_facts_of.
SELECT sweep_id, run_id, kind, name, value, attempt
FROM (
    SELECT f.*, sum(octet_length(name) + octet_length(value))
                    OVER (PARTITION BY run_id, kind ORDER BY name COLLATE "C") AS bytes
    FROM (
        SELECT DISTINCT ON (run_id, kind, name) sweep_id, run_id, kind, name, value, attempt
        FROM besom.run_facts
        WHERE sweep_id = $1 AND run_id = ANY ($2::text[])
        ORDER BY run_id, kind, name, attempt DESC
    ) f
) g
WHERE bytes <= $3
ORDER BY run_id, kind COLLATE "C", name COLLATE "C";
