-- Ends a token's life, once. $1 token, $2 project that the caller is bound to ("" = none). Called by store_revoke_token.
UPDATE besom.tokens SET revoked_at = now()
WHERE token_id = $1 AND ($2 = '' OR project = $2) AND revoked_at IS NULL;
