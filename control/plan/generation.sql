-- name: last
SELECT number, encoded, digest, who FROM generation ORDER BY number DESC LIMIT 1;

-- name: add
INSERT INTO generation (number, encoded, digest, created, who) VALUES ($1, $2, $3, $4, $5);

-- name: lock
-- Held until the transaction ends: one publisher at a time, across all control nodes.
SELECT pg_advisory_xact_lock($1);
