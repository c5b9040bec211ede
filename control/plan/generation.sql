-- name: last
SELECT number, digest, basis, pmta_digest FROM generation ORDER BY number DESC LIMIT 1;

-- name: newest
SELECT encoded FROM generation ORDER BY number DESC LIMIT 1;

-- name: encoded
SELECT encoded FROM generation WHERE number = $1 AND digest = $2;

-- name: lock
-- Held until the transaction ends: one publisher at a time, across all control nodes.
SELECT pg_advisory_xact_lock($1);

-- name: alive
SELECT 1;

-- name: try_lock
SELECT pg_try_advisory_xact_lock($1);
