-- name: add
INSERT INTO warmup_decision (at, day, tenant, vmta, ip, pool, provider, act, rule, sentence,
    severity, stage_before, stage_after, quota_before, quota_after, state_before, state_after,
    counted, watched, thresholds, who, reason, since)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23)
ON CONFLICT DO NOTHING RETURNING id;

-- name: list
SELECT id, at, tenant, ip, pool, provider, act, rule, sentence, severity, stage_before, stage_after,
    quota_before, quota_after, state_before, state_after, counted, watched, thresholds, who, reason
FROM warmup_decision
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR ip = $2)
    AND ($3::text IS NULL OR act = $3) AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5;
