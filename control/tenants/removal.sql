-- What is in the way of taking a tenant away, and taking it away.

-- name: tenant
SELECT name, paused FROM tenant WHERE name = $1 FOR UPDATE;

-- name: held
SELECT state, count(*) AS messages FROM held
WHERE tenant = $1 AND state IN ('held', 'claimed', 'doubt') GROUP BY state ORDER BY state;

-- name: orders
SELECT count(*) FROM hold_request WHERE tenant = $1 AND state IN ('waiting', 'running', 'ending', 'undoing');

-- name: ips
SELECT host(ip) AS ip, name AS vmta FROM virtual_mta WHERE tenant = $1 ORDER BY virtual_mta.ip;

-- name: leave
UPDATE tenant SET leaving = $2 WHERE name = $1;

-- name: leaving
SELECT leaving FROM tenant WHERE name = $1;

-- name: stay
UPDATE tenant SET leaving = NULL WHERE name = $1 AND leaving = $2 RETURNING name;

-- name: left_before
SELECT name, leaving FROM tenant WHERE leaving < $1 ORDER BY name;

-- name: drop_tokens
-- One that is of others, too, stays theirs.
WITH others AS (
    SELECT t.name, min(o.tenant) AS tenant
    FROM api_token t JOIN api_token_tenant o ON o.token = t.name AND o.tenant <> $1
    WHERE t.tenant = $1 GROUP BY t.name
), kept AS (
    UPDATE api_token t SET tenant = o.tenant FROM others o WHERE o.name = t.name
)
DELETE FROM api_token t WHERE t.tenant = $1 AND NOT EXISTS (SELECT FROM others o WHERE o.name = t.name)
RETURNING name;

-- name: drop_mailboxes
DELETE FROM mailbox WHERE tenant = $1 RETURNING address AS name;

-- name: drop_networks
DELETE FROM tenant_network WHERE tenant = $1 RETURNING network::text AS name;

-- name: drop_logins
DELETE FROM login WHERE tenant = $1 RETURNING name;

-- name: drop_domains
DELETE FROM sending_domain WHERE tenant = $1 RETURNING domain AS name;

-- name: drop_members
DELETE FROM pool_member WHERE tenant = $1 RETURNING vmta AS name;

-- name: drop_ips
DELETE FROM virtual_mta WHERE tenant = $1 RETURNING host(ip) AS name;

-- name: drop_pools
DELETE FROM pool WHERE tenant = $1 RETURNING name;

-- name: lock_suppressions
-- As everybody who writes them (`control/suppressions/change.py`): last, and until the commit.
SELECT 1 FROM suppression_state FOR UPDATE;

-- name: drop_suppressions
-- How many. Gateways read the list anew, for another tenant may be given the name.
WITH gone AS (DELETE FROM suppression WHERE tenant = $1 RETURNING 1),
    changed AS (UPDATE suppression_state SET lineage = gen_random_uuid()::text,
        entries = entries - (SELECT count(*) FROM gone) WHERE EXISTS (SELECT FROM gone))
SELECT count(*) FROM gone;

-- name: drop_tenant
DELETE FROM tenant WHERE name = $1;
