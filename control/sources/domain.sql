-- name: one
SELECT pool FROM sending_domain WHERE tenant = $1 AND domain = $2;

-- name: elsewhere
SELECT tenant FROM sending_domain WHERE tenant <> $1 AND domain = $2 LIMIT 1;

-- name: brand
SELECT $2 = ANY (brand_domains) FROM tenant WHERE name = $1;

-- name: sharing
SELECT domain FROM sending_domain WHERE tenant = $1 AND pool = $2 AND domain <> $3 ORDER BY domain;

-- name: add
INSERT INTO sending_domain
    (tenant, domain, pool, dkim_selector, dkim_public, dkim_private, created)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: newest
-- The tenant's last domain but $2, where it came behind $3.
SELECT domain FROM sending_domain WHERE tenant = $1 AND domain <> $2 AND created > $3
ORDER BY created DESC LIMIT 1;
