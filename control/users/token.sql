-- name: shown
-- As a token is shown; what follows says which.
SELECT t.name, t.digest, t.role, t.tenant, t.created, t.used, t.networks, t.expires,
    t.expires <= now() AS over,
    ARRAY(SELECT t.tenant WHERE t.tenant IS NOT NULL
        UNION SELECT o.tenant FROM api_token_tenant o WHERE o.token = t.name ORDER BY 1) AS tenants
FROM api_token t;

-- name: page
-- $1: those of these tenants alone, NULL for all; $2 role, $3 tenant, $4 whether it is over, $5 not
-- used since, $6 how the name begins, or NULL.
{shown}
WHERE ($1::text[] IS NULL OR t.tenant = ANY ($1) AND NOT EXISTS (
        SELECT FROM api_token_tenant o WHERE o.token = t.name AND o.tenant <> ALL ($1)))
    AND ($2::text IS NULL OR t.role = $2)
    AND ($3::text IS NULL OR t.tenant = $3 OR EXISTS (
        SELECT FROM api_token_tenant o WHERE o.token = t.name AND o.tenant = $3))
    AND ($4::boolean IS NULL OR $4 = coalesce(t.expires <= now(), false))
    AND ($5::timestamptz IS NULL OR t.used IS NULL OR t.used < $5)
    AND ($6::text IS NULL OR starts_with(t.name, $6))
    AND {after}
ORDER BY {order} LIMIT {limit};

-- name: one
{shown} WHERE t.name = $1;

-- name: lock
SELECT name FROM api_token WHERE name = $1 FOR UPDATE;

-- name: set
UPDATE api_token SET role = $2, tenant = $3, networks = $4, expires = $5 WHERE name = $1;

-- name: no_further
DELETE FROM api_token_tenant WHERE token = $1;

-- name: by_digest
{shown} WHERE t.digest = $1;

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
