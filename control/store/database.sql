-- name: durability
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'synchronous_commit', 'server_version_num');

-- name: allow
SELECT set_config('statement_timeout', $1, true);

-- name: lock_publishing
-- Held until the transaction ends: one publisher at a time, across all control nodes.
SELECT pg_advisory_xact_lock($1);
