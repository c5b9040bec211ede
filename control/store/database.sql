-- name: durability
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'synchronous_commit', 'server_version_num');

-- name: allow
SELECT set_config('statement_timeout', $1, true);

-- name: whole
SELECT set_config('transaction_timeout', $1, false);

-- name: allow_whole
SELECT set_config('transaction_timeout', $1, true);
