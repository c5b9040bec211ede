-- name: stages
SELECT plan, stage, quota, ceilings FROM warmup_stage ORDER BY plan, stage;
