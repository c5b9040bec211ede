-- name: sources
-- With the last change of what a window of evidence is of.
SELECT v.id, v.name, v.tenant, host(v.ip) AS ip, v.state, v.quota_source, v.fixed_quota, v.plan, v.stage,
    v.grown, (extract(epoch FROM v.created) * 1000)::bigint AS created,
    (extract(epoch FROM h.at) * 1000)::bigint AS began, h.who
FROM virtual_mta v LEFT JOIN LATERAL (
    SELECT at, who FROM warmup_history h WHERE h.vmta = v.name AND h.at >= v.created
    ORDER BY h.at DESC, h.id DESC LIMIT 1
) h ON true
WHERE ($1::text[] IS NULL OR v.name = ANY ($1)) AND ($2::text[] IS NULL OR host(v.ip) = ANY ($2))
    AND ($3::text IS NULL OR v.tenant = $3) AND ($4::text IS NULL OR v.name COLLATE "C" > $4)
    AND ($6::text IS NULL OR strpos(lower(v.name), lower($6)) > 0
        OR strpos(host(v.ip), lower($6)) > 0 OR strpos(v.host_name, lower($6)) > 0)
    AND ($7::text IS NULL OR v.state = $7)
    -- Those that may carry the domain: its pool's, and of those that its mail overflows to.
    AND ($8::text IS NULL OR v.name IN (
        WITH RECURSIVE chain (pool) AS (
            SELECT d.pool FROM sending_domain d WHERE d.domain = $8
            UNION SELECT p.overflow FROM chain c JOIN pool p ON p.name = c.pool
                WHERE p.overflow IS NOT NULL)
        SELECT m.vmta FROM chain c JOIN pool_member m ON m.pool = c.pool))
    AND ($9::text IS NULL OR v.name IN (SELECT m.vmta FROM pool_member m WHERE m.pool = $9))
    AND ($10::text IS NULL OR v.plan = $10)
    AND ($11::text IS NULL OR EXISTS (SELECT FROM warmup_state w WHERE w.vmta = v.name
        AND w.provider = $11 AND (w.paused OR w.stage IS NOT NULL)))
ORDER BY v.name COLLATE "C" LIMIT $5;

-- name: states
SELECT vmta, provider, stage, paused, since, earned, earned_on, idle_mail, idle_taken, cool_until,
    cool_same, override, override_until, override_who, imported
FROM warmup_state WHERE vmta = ANY ($1::text[]);

-- name: keep
INSERT INTO warmup_state (vmta, provider, stage, paused, since, earned, earned_on, idle_mail,
    idle_taken, cool_until, cool_same, override, override_until, override_who,
    imported)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (vmta, provider) DO UPDATE SET stage = excluded.stage, paused = excluded.paused,
    since = excluded.since, earned = excluded.earned, earned_on = excluded.earned_on,
    idle_mail = excluded.idle_mail, idle_taken = excluded.idle_taken,
    cool_until = excluded.cool_until, cool_same = excluded.cool_same,
    override = excluded.override, override_until = excluded.override_until,
    override_who = excluded.override_who, imported = excluded.imported;
