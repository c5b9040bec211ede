-- name: waiting
-- Messages that wait for an IP, by the pool they wait in.
SELECT pool, count(*) AS messages FROM held WHERE state = 'held' AND NOT paused GROUP BY pool;

-- name: judged
-- Of each IP, pool and provider the last decision of warm-up, where it stops something.
SELECT * FROM (
    SELECT DISTINCT ON (tenant, vmta, ip, pool, provider) tenant, ip, pool, provider, act, severity, sentence
    FROM warmup_decision ORDER BY tenant, vmta, ip, pool, provider, id DESC
) d WHERE severity IN ('warning', 'critical') AND act IN ('pause', 'hold');

-- name: happened
-- Decisions since a day that are told of once.
SELECT id, ip, pool, provider, act, severity, sentence FROM warmup_decision
WHERE day >= $1 AND severity <> '' AND NOT act IN ('pause', 'hold') ORDER BY id;

-- name: differing
-- Consolidated days since one on which accounting and the ledger differ.
SELECT day, sent, compared, accounted, difference FROM consolidation
WHERE day >= $1 AND difference > 0 ORDER BY day;

-- name: said
-- What providers said since a day that is for somebody to put right.
SELECT tenant, scope, kind, provider, rule, sum(count)::bigint AS count, max(last_at) AS last_at,
    (array_agg(domain ORDER BY last_at DESC))[1] AS domain, (array_agg(ip ORDER BY last_at DESC))[1] AS ip
FROM warmup_reply WHERE day >= $1 AND action = 'alert'
GROUP BY tenant, scope, kind, provider, rule ORDER BY tenant, scope, kind;
