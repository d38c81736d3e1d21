-- A constraint's definition as PostgreSQL prints it. $1 name. Called by store_get_constraint.
SELECT pg_get_constraintdef(oid) FROM pg_constraint
WHERE conname = $1 AND connamespace = 'besom'::regnamespace;
