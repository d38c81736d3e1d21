-- Tokens, newest first. $1 project ("" = all), $2 and $3 created_at and id to go on after ($3 NULL = from the start),
-- $4 limit, $5 project that the caller is bound to ("" = none). Called by store_list_tokens.
SELECT token_id, hash, key_id, name, role, project, sweep_id, created_by, created_at, expires_at, revoked_at,
       floor(extract(epoch FROM expires_at - now()) * 1000)::bigint
FROM besom.tokens
WHERE ($1 = '' OR project = $1) AND ($5 = '' OR project = $5)
  AND ($3::text IS NULL OR created_at < $2::timestamptz OR (created_at = $2 AND token_id > $3))
ORDER BY created_at DESC, token_id
LIMIT $4;
