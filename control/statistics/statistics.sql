-- name: owners
-- Of VirtualMTAs and of IPs, those that were removed too.
SELECT vmta, ip, tenant, (extract(epoch FROM created) * 1000)::bigint AS created,
    removed IS NULL AS here
FROM vmta_ip WHERE lower(vmta) = ANY ($1::text[]) OR ip = ANY ($2::text[]);

-- name: told
SELECT DISTINCT ON (message) message, vmta, tenant, campaign, recipient
FROM outcome WHERE message = ANY ($1::text[]) ORDER BY message, vmta = '', at DESC;

-- name: feed
INSERT INTO statistics_feed AS s (server, since, came) VALUES ($1, $2, $3)
ON CONFLICT (server) DO UPDATE SET since = least(s.since, excluded.since),
    came = greatest(s.came, excluded.came);

-- name: names
SELECT day, tenant, kind, name FROM statistics_name
JOIN unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS n (day, tenant, kind, name)
    USING (day, tenant, kind, name);

-- name: lock_names
SELECT pg_advisory_xact_lock($1);

-- name: full_names
SELECT day, tenant, kind FROM unnest($1::integer[], $2::text[], $3::text[]) AS n (day, tenant, kind)
WHERE (SELECT count(*) FROM statistics_name s
    WHERE (s.day, s.tenant, s.kind) = (n.day, n.tenant, n.kind)) >= $4::bigint;

-- name: admit_names
-- The first ones, up to the bound.
INSERT INTO statistics_name (day, tenant, kind, name)
SELECT n.day, n.tenant, n.kind, n.name FROM (
    SELECT *, row_number() OVER (PARTITION BY day, tenant, kind ORDER BY name) AS place
    FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS n (day, tenant, kind, name)
) n JOIN LATERAL (
    SELECT count(*) AS here FROM statistics_name s
    WHERE (s.day, s.tenant, s.kind) = (n.day, n.tenant, n.kind)
) s ON n.place + s.here <= $5::bigint
RETURNING day, tenant, kind, name;

-- name: sweep
SELECT statistics_sweep($1, $2, $3);

-- name: changed
-- `at` always rises: who looked at an earlier one must not take it away.
INSERT INTO statistics_changed AS c (ip, at) SELECT ip, $2 FROM unnest($1::text[]) AS n (ip)
ORDER BY ip ON CONFLICT (ip) DO UPDATE SET at = greatest(c.at + 1, excluded.at);
