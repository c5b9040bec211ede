-- name: stages
SELECT plan, stage, quota, ceilings FROM warmup_stage ORDER BY plan, stage;

-- name: mailboxes
SELECT tenant, address, daily_max, spacing FROM mailbox ORDER BY tenant, address;
