-- name: tenant
SELECT name FROM tenant WHERE name = $1 FOR UPDATE;

-- name: all
SELECT name, created, used FROM login WHERE tenant = $1 AND {after} ORDER BY {order} LIMIT {limit};

-- name: used
-- $2: calendar milliseconds. Several control nodes may have read the same; what was told before a
-- login was made is of a former one of its name.
UPDATE login l SET used = to_timestamp(w.at / 1000.0)
FROM unnest($1::text[], $2::bigint[]) AS w (name, at)
WHERE l.name = w.name AND l.created <= to_timestamp(w.at / 1000.0)
    AND (l.used IS NULL OR l.used < to_timestamp(w.at / 1000.0));

-- name: one
SELECT name FROM login WHERE tenant = $1 AND name = $2;

-- name: other_way
SELECT EXISTS (SELECT 1 FROM login WHERE tenant = $1 AND name <> $2)
    OR EXISTS (SELECT 1 FROM tenant_network WHERE tenant = $1);

-- name: add
INSERT INTO login (name, tenant, hash, created) VALUES ($1, $2, $3, $4);

-- name: remove
DELETE FROM login WHERE tenant = $1 AND name = $2;
