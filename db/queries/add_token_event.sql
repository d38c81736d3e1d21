-- One line of the audit trail about a token. $1 sweep ("" = none), $2 kind, $3 actor, $4 token, $5 detail, $6 project
-- ("" = none). Called by store_add_token_event.
INSERT INTO besom.events (sweep_id, kind, actor, subject, detail, project) VALUES ($1, $2, $3, $4, $5, $6);
