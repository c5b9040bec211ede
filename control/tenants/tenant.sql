-- name: lock
SELECT paused, leaving, default_pool FROM tenant WHERE name = $1 FOR UPDATE;

-- name: add
INSERT INTO tenant (name, profile, default_pool, created, keyed_by_id)
VALUES ($1, $2, $3, $4, true);

-- name: set_paused
-- Who may send again is not removed.
UPDATE tenant SET paused = $2, leaving = CASE WHEN $2 THEN leaving END WHERE name = $1;

-- name: waiting
SELECT count(*) FROM held WHERE tenant = $1 AND state = 'held';

-- name: left_mail
-- Of a tenant that is there nothing is looked for.
SELECT NOT EXISTS (SELECT 1 FROM tenant WHERE name = $1)
    AND EXISTS (SELECT 1 FROM held WHERE tenant = $1 AND state IN ('held', 'claimed', 'doubt'));

-- name: set
-- `terms`: control/plan/terms.py, each by name.
UPDATE tenant SET window_start = $2, window_length = $3, window_zone = $4, {terms} WHERE name = $1;

-- name: sent_from
-- The first of these domains that is a sending domain of the tenant's.
SELECT domain FROM sending_domain WHERE tenant = $1 AND domain = ANY ($2::text[]) ORDER BY domain LIMIT 1;

-- name: drop_networks
DELETE FROM tenant_network WHERE tenant = $1;

-- name: add_login
INSERT INTO login (name, tenant, hash, created) VALUES ($1, $2, $3, $4);

-- name: set_password
-- Who replaces a password at once wants none but the new one.
WITH ended AS (DELETE FROM login_former WHERE tenant = $1 AND login = $2)
UPDATE login SET hash = $3 WHERE tenant = $1 AND name = $2 RETURNING name;

-- name: logins
SELECT name FROM login WHERE tenant = $1 ORDER BY name;

-- name: add_network
INSERT INTO tenant_network (network, tenant) VALUES ($1::text::cidr, $2);
