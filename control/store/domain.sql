-- name: all
-- The first domain of a pool carries the pool's SPF record; created, not by name, so that a domain
-- that comes later moves nothing.
SELECT d.tenant, d.domain, d.pool, d.dkim_selector, d.dkim_public,
    (SELECT f.domain FROM sending_domain f WHERE f.pool = d.pool
        ORDER BY f.created, f.domain LIMIT 1) AS first_domain
FROM sending_domain d ORDER BY d.tenant, d.domain;

-- name: keys
SELECT tenant, domain, dkim_selector, dkim_private FROM sending_domain ORDER BY tenant, domain;

-- name: one
SELECT pool FROM sending_domain WHERE tenant = $1 AND domain = $2;

-- name: elsewhere
SELECT tenant FROM sending_domain WHERE tenant <> $1 AND domain = $2 LIMIT 1;

-- name: add
INSERT INTO sending_domain
    (tenant, domain, pool, dkim_selector, dkim_public, dkim_private, created)
VALUES ($1, $2, $3, $4, $5, $6, $7);
