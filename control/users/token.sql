-- name: all
SELECT name, role, tenant, created, used, networks, expires, expires <= now() AS over,
    ARRAY(SELECT t.tenant WHERE t.tenant IS NOT NULL
        UNION SELECT o.tenant FROM api_token_tenant o WHERE o.token = t.name ORDER BY 1) AS tenants
FROM api_token t ORDER BY name;

-- name: by_digest
SELECT name, digest, role, tenant, networks, expires <= now() AS over,
    ARRAY(SELECT t.tenant WHERE t.tenant IS NOT NULL
        UNION SELECT o.tenant FROM api_token_tenant o WHERE o.token = t.name ORDER BY 1) AS tenants
FROM api_token t WHERE digest = $1;

-- name: add
INSERT INTO api_token (name, digest, created, role, tenant, networks, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: further
INSERT INTO api_token_tenant (token, tenant) SELECT $1, unnest($2::text[]);

-- name: put
INSERT INTO api_token (name, digest, created, role, tenant) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, role = excluded.role,
    tenant = excluded.tenant;

-- name: revoke
DELETE FROM api_token WHERE name = $1 RETURNING name;

-- name: used
UPDATE api_token SET used = $2 WHERE name = $1;
