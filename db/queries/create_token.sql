-- A token; the same one again changes nothing. Touches no row when another has its id. $1 token, $2 hash, $3 key, $4 name,
-- $5 role, $6 project, $7 sweep, $8 who made it, $9 its life in ms (0 = for ever). Called by store_create_token.
INSERT INTO besom.tokens AS t (token_id, hash, key_id, name, role, project, sweep_id, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9::bigint > 0 THEN now() + $9::bigint * interval '1 ms' END)
ON CONFLICT (token_id) DO UPDATE SET name = excluded.name WHERE t.hash = excluded.hash;
