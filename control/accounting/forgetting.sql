-- name: one_by_one
-- Until the end of the transaction nobody else asks: who reads those behind a number has all before.
SELECT pg_advisory_xact_lock($1);

-- name: ask
INSERT INTO accounting_forgotten (asked, who, tenant, digest, spelt)
VALUES ($1, $2, $3, $4, $5::text[]) RETURNING id;

-- name: page
SELECT * FROM accounting_forgotten
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3;

-- name: one
SELECT * FROM accounting_forgotten WHERE id = $1 AND ($2::text IS NULL OR tenant = $2);

-- name: sweep
DELETE FROM accounting_forgotten WHERE step = 'done' AND finished < $1;

-- name: booking
SELECT pg_advisory_xact_lock_shared($1);

-- name: asked_after
SELECT id, asked, tenant, digest FROM accounting_forgotten WHERE id > $1 ORDER BY id;

-- name: tenants
SELECT name, tenant FROM virtual_mta WHERE name = ANY ($1::text[]);

-- name: try_lock
SELECT pg_try_advisory_lock($1);

-- name: unlock
SELECT pg_advisory_unlock($1);

-- name: next
SELECT * FROM accounting_forgotten WHERE step <> 'done' ORDER BY id LIMIT 1;

-- name: nobody_books
SELECT pg_advisory_xact_lock($1);

-- name: begin
UPDATE accounting_forgotten SET step = 'records', day = 0, number = 0,
    last_raw = (SELECT coalesce(max(id), 0) FROM accounting_raw),
    last_aside = (SELECT coalesce(max(id), 0) FROM accounting_set_aside),
    last_batch = (SELECT coalesce(max(id), 0) FROM accounting_batch),
    pieces = (SELECT count(*) FROM accounting_raw) + (SELECT count(*) FROM accounting_set_aside)
        + (SELECT count(*) FROM accounting_batch)
WHERE id = $1 AND step = 'waiting';

-- name: raw
SELECT day, id, body FROM accounting_raw
WHERE (day, id) > ($1, $2) AND id <= $3 ORDER BY day, id LIMIT $4;

-- name: change_raw
UPDATE accounting_raw SET body = $3 WHERE day = $1 AND id = $2;

-- name: aside
SELECT 0 AS day, id, header, raw FROM accounting_set_aside
WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3;

-- name: change_aside
-- Its digest stays: the same text, come again, is this one.
UPDATE accounting_set_aside SET header = $2, raw = $3 WHERE id = $1;

-- name: batch
SELECT 0 AS day, id, tries, body FROM accounting_batch
WHERE id > $1 AND id <= $2 ORDER BY id LIMIT 1;

-- name: change_batch
UPDATE accounting_batch SET body = $2, size = length($2::bytea) WHERE id = $1 AND tries >= $3;

-- name: looked
-- Only from where this look began.
UPDATE accounting_forgotten SET day = $4, number = $5, looked = looked + $6, changed = changed + $7,
    unread = unread + $8
WHERE id = $1 AND step = $2 AND number = $3;

-- name: step
UPDATE accounting_forgotten SET step = $3, day = 0, number = 0,
    spelt = CASE WHEN $3 = 'done' THEN '{}' ELSE spelt END,
    finished = CASE WHEN $3 = 'done' THEN $4::bigint ELSE 0 END
WHERE id = $1 AND step = $2;
