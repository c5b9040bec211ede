-- name: all
SELECT name, role, tenant, created, used FROM api_token ORDER BY name;

-- name: by_digest
SELECT name, digest, role, tenant FROM api_token WHERE digest = $1;

-- name: add
INSERT INTO api_token (name, digest, created, role, tenant) VALUES ($1, $2, $3, $4, $5);

-- name: put
INSERT INTO api_token (name, digest, created, role, tenant) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, role = excluded.role,
    tenant = excluded.tenant;

-- name: revoke
DELETE FROM api_token WHERE name = $1 RETURNING name;

-- name: used
UPDATE api_token SET used = $2 WHERE name = $1;
