-- name: owners
-- Of VirtualMTAs and of IPs, those that were removed too.
SELECT vmta, ip, tenant, (extract(epoch FROM created) * 1000)::bigint AS created,
    removed IS NULL AS here
FROM vmta_ip WHERE vmta = ANY ($1::text[]) OR ip = ANY ($2::text[]);

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

-- name: add_ip
INSERT INTO statistics_ip AS s (day, tenant, ip, provider,
    relayed, delivered, bounced, bounced_address, bounced_block, bounced_full, late, expired,
    deferred, complaints, ended)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[],
    $5::integer[], $6::integer[], $7::integer[], $8::integer[], $9::integer[], $10::integer[],
    $11::integer[], $12::integer[], $13::integer[], $14::integer[], $15::integer[])
ORDER BY 1, 2, 3, 4
ON CONFLICT (day, tenant, ip, provider) DO UPDATE SET
    relayed = s.relayed + excluded.relayed, delivered = s.delivered + excluded.delivered,
    bounced = s.bounced + excluded.bounced,
    bounced_address = s.bounced_address + excluded.bounced_address,
    bounced_block = s.bounced_block + excluded.bounced_block,
    bounced_full = s.bounced_full + excluded.bounced_full,
    late = s.late + excluded.late, expired = s.expired + excluded.expired,
    deferred = s.deferred + excluded.deferred, complaints = s.complaints + excluded.complaints,
    ended = s.ended + excluded.ended;

-- name: add_campaign
INSERT INTO statistics_campaign AS s (day, tenant, campaign, provider,
    relayed, delivered, bounced, bounced_address, bounced_block, bounced_full, late, expired,
    deferred, complaints)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[],
    $5::integer[], $6::integer[], $7::integer[], $8::integer[], $9::integer[], $10::integer[],
    $11::integer[], $12::integer[], $13::integer[], $14::integer[])
ORDER BY 1, 2, 3, 4
ON CONFLICT (day, tenant, campaign, provider) DO UPDATE SET
    relayed = s.relayed + excluded.relayed, delivered = s.delivered + excluded.delivered,
    bounced = s.bounced + excluded.bounced,
    bounced_address = s.bounced_address + excluded.bounced_address,
    bounced_block = s.bounced_block + excluded.bounced_block,
    bounced_full = s.bounced_full + excluded.bounced_full,
    late = s.late + excluded.late, expired = s.expired + excluded.expired,
    deferred = s.deferred + excluded.deferred, complaints = s.complaints + excluded.complaints;

-- name: add_mailbox
INSERT INTO statistics_mailbox AS s (day, tenant, mailbox,
    relayed, delivered, bounced, bounced_address, bounced_block, bounced_full, late, expired,
    deferred, complaints)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[],
    $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::integer[], $9::integer[],
    $10::integer[], $11::integer[], $12::integer[], $13::integer[])
ORDER BY 1, 2, 3
ON CONFLICT (day, tenant, mailbox) DO UPDATE SET
    relayed = s.relayed + excluded.relayed, delivered = s.delivered + excluded.delivered,
    bounced = s.bounced + excluded.bounced,
    bounced_address = s.bounced_address + excluded.bounced_address,
    bounced_block = s.bounced_block + excluded.bounced_block,
    bounced_full = s.bounced_full + excluded.bounced_full,
    late = s.late + excluded.late, expired = s.expired + excluded.expired,
    deferred = s.deferred + excluded.deferred, complaints = s.complaints + excluded.complaints;

-- name: add_detail
INSERT INTO statistics_detail AS s (day, tenant, ip, campaign, provider,
    relayed, delivered, bounced, bounced_address, bounced_block, bounced_full, late, expired,
    deferred, complaints)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[],
    $6::integer[], $7::integer[], $8::integer[], $9::integer[], $10::integer[], $11::integer[],
    $12::integer[], $13::integer[], $14::integer[], $15::integer[])
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, tenant, ip, campaign, provider) DO UPDATE SET
    relayed = s.relayed + excluded.relayed, delivered = s.delivered + excluded.delivered,
    bounced = s.bounced + excluded.bounced,
    bounced_address = s.bounced_address + excluded.bounced_address,
    bounced_block = s.bounced_block + excluded.bounced_block,
    bounced_full = s.bounced_full + excluded.bounced_full,
    late = s.late + excluded.late, expired = s.expired + excluded.expired,
    deferred = s.deferred + excluded.deferred, complaints = s.complaints + excluded.complaints;

-- name: add_category
INSERT INTO statistics_category AS s (day, tenant, ip, provider, category, bounced)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])
ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (day, tenant, ip, provider,
    category) DO UPDATE SET bounced = s.bounced + excluded.bounced;

-- name: sweep
SELECT statistics_sweep($1, $2, $3);

-- name: changed
-- `at` always rises: who looked at an earlier one must not take it away.
INSERT INTO statistics_changed AS c (ip, at) SELECT ip, $2 FROM unnest($1::text[]) AS n (ip)
ORDER BY ip ON CONFLICT (ip) DO UPDATE SET at = greatest(c.at + 1, excluded.at);
