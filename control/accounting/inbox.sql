-- name: waiting
SELECT count(*), coalesce(sum(size), 0)::bigint AS octets,
    min(came) FILTER (WHERE tries < $1) AS oldest,
    count(*) FILTER (WHERE tries >= $1) AS stuck
FROM accounting_batch;

-- name: put
INSERT INTO accounting_batch (came, origin, server, who, size, body)
SELECT $1::bigint, $2, $3, $4, $5::bigint, $6::bytea
WHERE $5::bigint + (SELECT coalesce(sum(size), 0)::bigint FROM accounting_batch) <= $7::bigint
RETURNING id;

-- name: try_lock
SELECT pg_try_advisory_lock($1);

-- name: next
SELECT id, came, origin, server, body FROM accounting_batch WHERE tries < $1 ORDER BY id LIMIT 1;

-- name: failed
UPDATE accounting_batch SET tries = tries + 1, trouble = $2 WHERE id = $1;

-- name: again
UPDATE accounting_batch SET tries = 0 WHERE tries >= $1;

-- name: done
DELETE FROM accounting_batch WHERE id = $1;
