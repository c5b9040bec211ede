-- name: partition
SELECT day_partition($1, $2);

-- name: sweep
SELECT day_sweep($1, $2) AS day;

-- name: close_days
INSERT INTO accounting_closed SELECT unnest($1::integer[]) ON CONFLICT DO NOTHING;

-- name: closed
SELECT day FROM accounting_closed WHERE day = ANY ($1::integer[]);

-- name: remember
-- In one order, so that two that meet the same records wait for each other and never in a circle.
-- NULL: all of them are new.
WITH new AS (
    INSERT INTO accounting_seen
    SELECT n.day, n.id FROM unnest($1::integer[], $2::bytea[]) AS n (day, id) ORDER BY 1, 2
    ON CONFLICT DO NOTHING RETURNING id
)
SELECT CASE WHEN count(*) < cardinality($2::bytea[]) THEN coalesce(array_agg(id), '{}') END FROM new;

-- name: keep_raw
INSERT INTO accounting_raw (day, came, origin, server, place, records, body)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: count
INSERT INTO accounting_kind (day, server, kind, records, repeated)
SELECT $1, $2, n.* FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS n (kind, records, repeated)
ON CONFLICT (day, server, kind) DO UPDATE SET records = accounting_kind.records + excluded.records,
    repeated = accounting_kind.repeated + excluded.repeated;

-- name: kinds_lately
-- Since day $1, in which they came.
SELECT server, coalesce(sum(records) FILTER (WHERE kind NOT IN ('d', 'b')), 0)::bigint AS others,
    coalesce(sum(records) FILTER (WHERE kind = 'd'), 0)::bigint AS d,
    coalesce(sum(records) FILTER (WHERE kind = 'b'), 0)::bigint AS b
FROM accounting_kind WHERE day >= $1 GROUP BY server;

-- name: set_aside
INSERT INTO accounting_set_aside (digest, came, origin, server, place, why, header, raw)
SELECT n.digest, $1, $2, $3, n.place, n.why, n.header, n.raw
FROM unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::bytea[])
    AS n (digest, place, why, header, raw)
ORDER BY n.digest
ON CONFLICT (digest) DO UPDATE SET times = accounting_set_aside.times + 1, came = excluded.came,
    why = excluded.why;

-- name: set_aside_page
SELECT id, came, origin, server, place, why, header, raw, times FROM accounting_set_aside
WHERE id > $1 ORDER BY id LIMIT $2;

-- name: set_aside_some
SELECT id, came, origin, server, place, why, header, raw, times FROM accounting_set_aside
WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE;

-- name: set_aside_count
SELECT count(*) FROM accounting_set_aside;

-- name: set_aside_look
SELECT count(*), max(came) AS newest FROM accounting_set_aside;

-- name: drop_set_aside
DELETE FROM accounting_set_aside WHERE id = ANY ($1::bigint[]);

-- name: sweep_set_aside
-- Old ones, and the oldest of too many.
DELETE FROM accounting_set_aside WHERE came < $1
    OR id <= (SELECT id FROM accounting_set_aside ORDER BY id DESC OFFSET $2 LIMIT 1);
