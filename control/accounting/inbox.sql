-- name: waiting
SELECT count(*), coalesce(sum(size), 0)::bigint AS octets,
    min(came) FILTER (WHERE tries < $1) AS oldest,
    count(*) FILTER (WHERE tries >= $1) AS stuck
FROM accounting_batch;

-- name: put
-- $8: the import it is a part of, with so many octets ($9); NULL: none.
INSERT INTO accounting_batch (came, origin, server, who, size, body, import, octets)
SELECT $1::bigint, $2, $3, $4, $5::bigint, $6::bytea, $8::bigint, $9::bigint
WHERE $5::bigint + (SELECT coalesce(sum(size), 0)::bigint FROM accounting_batch) <= $7::bigint
RETURNING id;

-- name: try_lock
SELECT pg_try_advisory_lock($1);

-- name: next
-- History waits for what is posted now.
SELECT id, came, origin, server, body, import, octets FROM accounting_batch
WHERE tries < $1 ORDER BY import IS NOT NULL, id LIMIT 1;

-- name: failed
UPDATE accounting_batch SET tries = tries + 1, trouble = $2 WHERE id = $1;

-- name: again
UPDATE accounting_batch SET tries = 0 WHERE tries >= $1;

-- name: done
DELETE FROM accounting_batch WHERE id = $1;
