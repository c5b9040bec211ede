-- Every statement gives all rows, or those its parameters ask for; null asks for all. Planned for
-- each call (`plan_cache_mode`), so that a parameter that is null costs nothing.
-- Names are in the order of their octets, on every server: so are those of a generation.

-- name: servers
SELECT s.id, s.name, s.sessions,
    coalesce((SELECT jsonb_agg(jsonb_build_object('host', a.host, 'port', a.port)
        ORDER BY a.position) FROM pmta_server_address a WHERE a.server = s.name), '[]') AS addresses
FROM pmta_server s WHERE ($1::text[] IS NULL OR s.name = ANY ($1)) ORDER BY s.name COLLATE "C";

-- name: tenants
-- `terms`: control/plan/terms.py, each by name.
SELECT t.id, t.name, t.paused, t.leaving IS NOT NULL AS leaving, t.default_pool, t.window_start,
    t.window_length, t.window_zone, t.paused_campaigns, t.keyed_by_id, {terms},
    coalesce((SELECT jsonb_agg(jsonb_build_object('name', l.name, 'hash', l.hash,
            'former', f.hash, 'until', f.until) ORDER BY l.name COLLATE "C")
        FROM login l LEFT JOIN login_former f ON f.login = l.name
        WHERE l.tenant = t.name), '[]') AS logins,
    ARRAY(SELECT n.network::text FROM tenant_network n WHERE n.tenant = t.name
        ORDER BY n.network::text COLLATE "C") AS networks
FROM tenant t
WHERE ($1::text[] IS NULL OR t.name = ANY ($1))
    AND ($2::text IS NULL OR t.name COLLATE "C" > $2)
    AND ($4::text IS NULL OR strpos(lower(t.name), lower($4)) > 0)
    AND ($5::text IS NULL OR $5 = CASE WHEN t.leaving IS NOT NULL THEN 'leaving'
        WHEN t.paused THEN 'paused' ELSE 'active' END)
ORDER BY t.name COLLATE "C" LIMIT $3;

-- name: pools
SELECT p.id, p.name, p.tenant, p.overflow, p.paused, p.rate_minute AS per_minute,
    p.rate_hour AS per_hour,
    ARRAY(SELECT m.vmta FROM pool_member m WHERE m.pool = p.name AND m.tenant = p.tenant
        ORDER BY m.vmta COLLATE "C") AS members
FROM pool p
WHERE ($1::text[] IS NULL OR p.name = ANY ($1)) AND ($2::text[] IS NULL OR p.tenant = ANY ($2))
    AND ($3::text IS NULL OR p.name COLLATE "C" > $3)
    AND ($5::text IS NULL OR strpos(lower(p.name), lower($5)) > 0)
    AND ($6::text IS NULL OR $6 = CASE WHEN p.paused THEN 'paused' ELSE 'active' END)
ORDER BY p.name COLLATE "C" LIMIT $4;

-- name: vmtas
SELECT id, name, tenant, host(ip) AS ip, host_name, server, state, quota_source,
    fixed_quota, hourly_share, weight, plan, stage, ceilings, grown,
    rate_minute AS per_minute, rate_hour AS per_hour,
    (SELECT jsonb_object_agg(w.provider, CASE WHEN w.paused THEN 0 ELSE w.stage END)
        FROM warmup_state w WHERE w.vmta = virtual_mta.name AND w.provider <> ''
        AND (w.paused OR w.stage IS NOT NULL)) AS held,
    extract(epoch FROM created)::float8 AS created
FROM virtual_mta
WHERE ($1::text[] IS NULL OR name = ANY ($1)) AND ($2::text[] IS NULL OR tenant = ANY ($2))
    AND ($3::text IS NULL OR name COLLATE "C" > $3)
    AND ($5::text IS NULL OR strpos(lower(name), lower($5)) > 0 OR strpos(host(ip), lower($5)) > 0
        OR strpos(host_name, lower($5)) > 0)
    AND ($6::text IS NULL OR state = $6)
    -- Those that may carry the domain: its pool's, and of those that its mail overflows to.
    AND ($7::text IS NULL OR name IN (
        WITH RECURSIVE chain (pool) AS (
            SELECT d.pool FROM sending_domain d WHERE d.domain = $7
            UNION SELECT p.overflow FROM chain c JOIN pool p ON p.name = c.pool
                WHERE p.overflow IS NOT NULL)
        SELECT m.vmta FROM chain c JOIN pool_member m ON m.pool = c.pool))
    AND ($8::text IS NULL OR ip = $8::inet)
    AND ($9::text IS NULL OR name IN (SELECT m.vmta FROM pool_member m WHERE m.pool = $9))
ORDER BY name COLLATE "C" LIMIT $4;

-- name: vmta_called
-- By address or by name.
SELECT id, name, tenant, host(ip) AS ip, host_name, server, state, quota_source,
    fixed_quota, hourly_share, weight, plan, stage, ceilings, grown,
    rate_minute AS per_minute, rate_hour AS per_hour,
    (SELECT jsonb_object_agg(w.provider, CASE WHEN w.paused THEN 0 ELSE w.stage END)
        FROM warmup_state w WHERE w.vmta = virtual_mta.name AND w.provider <> ''
        AND (w.paused OR w.stage IS NOT NULL)) AS held,
    extract(epoch FROM created)::float8 AS created
FROM virtual_mta WHERE ip = $1::text::inet OR name = $2 ORDER BY name <> $2 DESC LIMIT 1;

-- name: vmta_by_ip
SELECT id, name, tenant, host(ip) AS ip, host_name, server, state, quota_source,
    fixed_quota, hourly_share, weight, plan, stage, ceilings, grown,
    rate_minute AS per_minute, rate_hour AS per_hour,
    (SELECT jsonb_object_agg(w.provider, CASE WHEN w.paused THEN 0 ELSE w.stage END)
        FROM warmup_state w WHERE w.vmta = virtual_mta.name AND w.provider <> ''
        AND (w.paused OR w.stage IS NOT NULL)) AS held,
    extract(epoch FROM created)::float8 AS created
FROM virtual_mta WHERE ip = $1::text::inet FOR UPDATE;

-- name: domains
-- The first domain of a pool carries the pool's SPF record; created, not by name, so that a domain
-- that comes later moves nothing.
SELECT d.id, d.tenant, d.domain, d.pool, d.dkim_selector, d.dkim_public,
    (SELECT f.domain FROM sending_domain f WHERE f.pool = d.pool
        ORDER BY f.created, f.domain LIMIT 1) AS first_domain,
    (SELECT jsonb_build_object('selector', r.selector, 'public', r.public, 'began', r.began,
        'seen', r.seen, 'switched', r.switched, 'said', r.said)
        FROM dkim_rotation r WHERE r.tenant = d.tenant AND r.domain = d.domain) AS rotation
FROM sending_domain d
WHERE ($1::text[] IS NULL OR d.tenant = ANY ($1))
    AND ($2::text IS NULL OR (d.tenant COLLATE "C", d.domain COLLATE "C") > ($2, $3))
    AND ($5::text IS NULL OR strpos(d.domain, lower($5)) > 0)
    -- Those that the IP may carry: of its pools, and of those whose mail overflows to these.
    AND ($6::text IS NULL OR d.pool IN (
        WITH RECURSIVE chain (pool) AS (
            SELECT m.pool FROM virtual_mta v JOIN pool_member m ON m.vmta = v.name
                WHERE v.ip = $6::text::inet
            UNION SELECT p.name FROM chain c JOIN pool p ON p.overflow = c.pool)
        SELECT pool FROM chain))
ORDER BY d.tenant COLLATE "C", d.domain COLLATE "C" LIMIT $4;

-- name: owner
-- The first tenant that has a domain.
SELECT tenant FROM sending_domain WHERE domain = $1 AND ($2::text IS NULL OR tenant = $2)
ORDER BY tenant COLLATE "C" LIMIT 1;

-- name: keys
-- Those of rotations, too: PowerMTA may have a key that does not sign yet, or not any more.
SELECT domain, dkim_selector, dkim_private FROM sending_domain
WHERE ($1::text[] IS NULL OR tenant = ANY ($1))
UNION ALL
SELECT domain, selector, private FROM dkim_rotation
WHERE ($1::text[] IS NULL OR tenant = ANY ($1)) ORDER BY domain, dkim_selector;

-- name: other_keys
SELECT tenant, domain, selector FROM dkim_rotation;

-- name: selectors
SELECT tenant, domain, dkim_selector FROM sending_domain
WHERE ($1::text[] IS NULL OR tenant = ANY ($1));

-- name: sealed
-- By the names of their files (control.pmta.generator.virtualmta.key_file): those that no version
-- was given yet, or with another key (a domain that went, and came again).
SELECT d.domain, d.dkim_selector, d.dkim_private FROM sending_domain d
WHERE d.domain || '.' || d.dkim_selector || '.pem' = ANY ($1) AND NOT EXISTS (
    SELECT FROM pmta_key k JOIN sending_domain o
        ON o.domain = d.domain AND o.dkim_selector = d.dkim_selector
    WHERE k.name = d.domain || '.' || d.dkim_selector || '.pem' AND k.sealed = o.dkim_private);

-- name: stages
SELECT s.plan, s.stage, s.quota, s.ceilings, p.days, p.growth, p.breach
FROM warmup_stage s JOIN warmup_plan p ON p.name = s.plan ORDER BY s.plan, s.stage;

-- name: mailboxes
SELECT id, tenant, address, daily_max, spacing, daily_min, spacing_max, ramp,
    ramp_from::text AS ramp_from, rate_minute AS per_minute, rate_hour AS per_hour FROM mailbox
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text[] IS NULL OR address = ANY ($2))
    AND ($3::text IS NULL OR address COLLATE "C" > $3)
    AND ($5::text IS NULL OR strpos(address, lower($5)) > 0)
ORDER BY tenant COLLATE "C", address COLLATE "C" LIMIT $4;

-- name: stopped
SELECT EXISTS (SELECT FROM sending_stop);
