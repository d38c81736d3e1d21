-- Changes what users say of runs; gives those that there are, with the numbers of their tags and hidden tags.
-- $1 sweep, $2 runs (text[]), $3 set the name, $4 name, $5 set the notes, $6 notes, $7 tags to add, $8 tags to take away
-- (text[]). Called by store_edit_runs.
WITH held AS MATERIALIZED (
    SELECT run_id FROM besom.runs WHERE sweep_id = $1 AND run_id = ANY ($2::text[]) ORDER BY run_id FOR NO KEY UPDATE
)
UPDATE besom.runs r
SET name = CASE WHEN $3 THEN $4 ELSE r.name END,
    notes = CASE WHEN $5 THEN $6 ELSE r.notes END,
    tags = ARRAY(SELECT DISTINCT tag FROM unnest(r.tags || $7::text[]) tag WHERE tag <> ALL ($8::text[]) ORDER BY tag),
    hidden_tags = ARRAY(SELECT DISTINCT tag FROM unnest(r.hidden_tags || $8::text[]) tag
                        WHERE tag <> ALL ($7::text[]) ORDER BY tag)
FROM held
WHERE r.sweep_id = $1 AND r.run_id = held.run_id
RETURNING r.run_id, cardinality(r.tags), cardinality(r.hidden_tags);
