-- name: tenant
SELECT name FROM tenant WHERE name = $1 FOR UPDATE;

-- name: all
SELECT name, created FROM login WHERE tenant = $1 ORDER BY name;

-- name: one
SELECT name FROM login WHERE tenant = $1 AND name = $2;

-- name: other_way
SELECT EXISTS (SELECT 1 FROM login WHERE tenant = $1 AND name <> $2)
    OR EXISTS (SELECT 1 FROM tenant_network WHERE tenant = $1);

-- name: add
INSERT INTO login (name, tenant, hash, created) VALUES ($1, $2, $3, $4);

-- name: remove
DELETE FROM login WHERE tenant = $1 AND name = $2;
