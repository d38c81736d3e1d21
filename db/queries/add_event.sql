-- One line of the audit trail, of the sweep's project. $1 sweep, $2 kind, $3 actor, $4 subject, $5 detail.
-- Called by store_add_event.
INSERT INTO besom.events (sweep_id, kind, actor, subject, detail, project)
VALUES ($1, $2, $3, $4, $5, coalesce((SELECT project FROM besom.sweeps WHERE sweep_id = $1), ''));
