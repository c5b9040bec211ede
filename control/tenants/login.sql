-- name: tenant
SELECT name FROM tenant WHERE name = $1 FOR UPDATE;

-- name: all
SELECT l.name, l.created, l.used, f.until AS former_until, f.used AS former_used
FROM login l LEFT JOIN login_former f ON f.login = l.name
WHERE l.tenant = $1 AND {after} ORDER BY {order} LIMIT {limit};

-- name: view
SELECT l.name, l.created, l.used, f.until AS former_until, f.used AS former_used
FROM login l LEFT JOIN login_former f ON f.login = l.name WHERE l.tenant = $1 AND l.name = $2;

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

-- name: former_used
-- As `used`; what was told before it was a former one is of another.
UPDATE login_former f SET used = to_timestamp(w.at / 1000.0)
FROM unnest($1::text[], $2::bigint[]) AS w (name, at)
WHERE f.login = w.name AND f.began <= w.at
    AND (f.used IS NULL OR f.used < to_timestamp(w.at / 1000.0));

-- name: rotating
SELECT l.hash, f.hash AS former, f.until FROM login l
LEFT JOIN login_former f ON f.login = l.name WHERE l.tenant = $1 AND l.name = $2;

-- name: rotate
-- The password that was the login's is its former one from here on.
WITH former AS (
    INSERT INTO login_former (login, tenant, hash, until, began)
    SELECT name, tenant, hash, $4, $5 FROM login WHERE tenant = $1 AND name = $2
    ON CONFLICT (login) DO UPDATE SET hash = excluded.hash, until = excluded.until,
        began = excluded.began, used = NULL
)
UPDATE login SET hash = $3 WHERE tenant = $1 AND name = $2;

-- name: call_off
UPDATE login l SET hash = f.hash FROM login_former f
WHERE f.login = l.name AND l.tenant = $1 AND l.name = $2;

-- name: end
DELETE FROM login_former WHERE tenant = $1 AND login = $2;

-- name: sweep
DELETE FROM login_former WHERE until < $1 RETURNING login, tenant, until;

-- name: ended
SELECT EXISTS (SELECT FROM login_former WHERE until < $1);
