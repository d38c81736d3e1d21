-- SPDX-License-Identifier: GPL-3.0-or-later
-- Tokens, by keyed hash alone, and an audit trail that says which project an event belongs to.

CREATE TABLE besom.tokens (
    token_id text PRIMARY KEY,                  -- the part of its text that is no secret
    hash bytea NOT NULL,                        -- BLAKE2b of its text; the key is not in the database
    key_id text NOT NULL,                       -- tells keys apart
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'writer', 'agent', 'reader')),
    project text NOT NULL DEFAULT '',           -- '' = all; need not exist
    sweep_id text NOT NULL DEFAULT '',          -- '' = all; bounds more than the project, which is the sweep's then
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,                     -- NULL = never
    revoked_at timestamptz,                     -- NULL = not
    CHECK (sweep_id = '' OR role <> 'admin')
);
CREATE INDEX tokens_by_age ON besom.tokens (created_at DESC, token_id);

ALTER TABLE besom.events ADD COLUMN project text NOT NULL DEFAULT '';  -- '' = of none, or not told
UPDATE besom.events e SET project = s.project FROM besom.sweeps s WHERE s.sweep_id = e.sweep_id;
CREATE INDEX events_by_number ON besom.events (event_id);
CREATE INDEX events_of_project ON besom.events (project, event_id);
