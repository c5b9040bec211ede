-- name: last
SELECT number, digest, basis, pmta_digest FROM generation ORDER BY number DESC LIMIT 1;

-- name: newest
SELECT encoded FROM generation ORDER BY number DESC LIMIT 1;

-- name: encoded
SELECT encoded FROM generation WHERE number = $1 AND digest = $2;

-- name: add
INSERT INTO generation (number, encoded, digest, created, who, basis, pmta_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: forget
-- All but the newest $1, the oldest first; $2 at most.
DELETE FROM generation WHERE number IN (
    SELECT number FROM generation
    WHERE number < (SELECT number FROM generation ORDER BY number DESC OFFSET $1 - 1 LIMIT 1)
    ORDER BY number LIMIT $2);

-- name: lock
-- Held until the transaction ends: one publisher at a time, across all control nodes.
SELECT pg_advisory_xact_lock($1);

-- name: alive
SELECT 1;

-- name: try_lock
SELECT pg_try_advisory_xact_lock($1);
