-- What is in the way of taking an IP, a domain or a pool away, and taking it away.

-- name: held_of_domain
SELECT count(*) FROM held
WHERE tenant = $1 AND right(mailbox, length($2) + 1) = '@' || $2
    AND state IN ('held', 'claimed', 'doubt');

-- name: held_of_pool
SELECT count(*) FROM held
WHERE tenant = $1 AND pool = $2 AND state IN ('held', 'claimed', 'doubt');

-- name: open_of_vmta
-- Charged to it, and nobody knows yet whether PowerMTA took it.
SELECT count(*) FROM held WHERE vmta = $1 AND state IN ('claimed', 'doubt');

-- name: alone_in
-- Pools with domains whose only member it is.
SELECT m.pool,
    ARRAY(SELECT d.domain FROM sending_domain d
        WHERE d.tenant = m.tenant AND d.pool = m.pool ORDER BY 1) AS domains
FROM pool_member m
WHERE m.vmta = $1 AND EXISTS (SELECT 1 FROM sending_domain d
        WHERE d.tenant = m.tenant AND d.pool = m.pool)
    AND NOT EXISTS (SELECT 1 FROM pool_member o WHERE o.pool = m.pool AND o.vmta <> m.vmta)
ORDER BY m.pool;

-- name: pools_of
SELECT pool FROM pool_member WHERE vmta = $1 ORDER BY pool;

-- name: leave
DELETE FROM pool_member WHERE vmta = $1 AND pool = ANY($2::text[]);

-- name: move_to_server
UPDATE virtual_mta SET server = $2 WHERE name = $1;

-- name: remove_vmta
DELETE FROM virtual_mta WHERE name = $1;

-- name: domain
SELECT tenant, domain, pool, dkim_selector FROM sending_domain
WHERE domain = $2 AND ($1::text IS NULL OR tenant = $1)
ORDER BY tenant FOR UPDATE;

-- name: move_domain
UPDATE sending_domain SET pool = $3 WHERE tenant = $1 AND domain = $2;

-- name: remove_domain
DELETE FROM sending_domain WHERE tenant = $1 AND domain = $2;

-- name: domains_of_pool
SELECT domain FROM sending_domain WHERE tenant = $1 AND pool = $2 ORDER BY created, domain;

-- name: pool
SELECT p.name, p.tenant, p.overflow, p.paused, t.default_pool = p.name AS is_default
FROM pool p JOIN tenant t ON t.name = p.tenant
WHERE p.name = $1 FOR UPDATE;

-- name: members
SELECT host(v.ip) AS ip FROM pool_member m JOIN virtual_mta v ON v.name = m.vmta
WHERE m.pool = $1 ORDER BY v.ip;

-- name: overflows_to
SELECT name FROM pool WHERE overflow = $1 ORDER BY name;

-- name: remove_pool
DELETE FROM pool WHERE name = $1;

-- name: set_default
UPDATE tenant SET default_pool = $2 WHERE name = $1;
