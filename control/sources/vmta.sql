-- name: by_host_name
SELECT host(ip) AS ip FROM virtual_mta WHERE host_name = $1 LIMIT 1;

-- name: below
-- Host names that end in $1.
SELECT host_name FROM virtual_mta WHERE right(host_name, length($1)) = $1;

-- name: add
INSERT INTO virtual_mta (name, tenant, ip, host_name, server, state, quota_source, fixed_quota,
    hourly_share, plan, stage, created)
VALUES ($1, $2, $3::text::inet, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: set
UPDATE virtual_mta SET state = $3, quota_source = $4, fixed_quota = $5, hourly_share = $6,
    weight = $7, plan = $8, stage = $9, ceilings = $10, host_name = $11,
    grown = $12, rate_minute = $13, rate_hour = $14
WHERE tenant = $1 AND name = $2;

-- name: add_history
INSERT INTO warmup_history
    (vmta, at, quota_before, quota_after, stage_before, stage_after, who, reason, state_before,
    state_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: sends_alone
-- Pools of a VirtualMTA in which no other one sends, and how much waits for each.
SELECT m.pool, (SELECT count(*) FROM held h
        WHERE h.tenant = m.tenant AND h.pool = m.pool AND h.state IN ('held', 'claimed', 'doubt'))
FROM pool_member m
WHERE m.vmta = $1 AND NOT EXISTS (SELECT 1 FROM pool_member o
        JOIN virtual_mta v ON v.name = o.vmta
        WHERE o.pool = m.pool AND o.vmta <> m.vmta AND v.state NOT IN ('paused', 'retiring'))
ORDER BY m.pool;
