-- name: plans
SELECT name AS plan, source FROM warmup_plan;

-- name: used
SELECT plan, count(*) AS ips FROM virtual_mta WHERE quota_source = 'plan' GROUP BY plan;

-- name: there
SELECT true FROM warmup_plan WHERE name = $1;

-- name: its_ips
SELECT host(ip) AS ip FROM virtual_mta WHERE plan = $1 AND quota_source = 'plan' ORDER BY ip;

-- name: add
INSERT INTO warmup_plan (name, created, days, growth, breach, source)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: add_stages
INSERT INTO warmup_stage (plan, stage, quota, ceilings)
SELECT $1, stage, quota, ceilings::jsonb
FROM unnest($2::integer[], $3::bigint[], $4::text[]) AS n (stage, quota, ceilings);

-- name: remove
DELETE FROM warmup_plan WHERE name = $1;
