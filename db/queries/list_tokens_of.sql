-- The tokens of these ids that exist. Array: $1 ids. Called by store_list_tokens_of.
SELECT token_id, hash, key_id, name, role, project, sweep_id, created_by, created_at, expires_at, revoked_at,
       floor(extract(epoch FROM expires_at - now()) * 1000)::bigint
FROM besom.tokens
WHERE token_id = ANY ($1::text[]);
