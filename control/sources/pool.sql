-- name: one
SELECT name, overflow, paused FROM pool WHERE tenant = $1 AND name = $2;

-- name: tenant
SELECT name FROM tenant WHERE name = $1;

-- name: lock
SELECT tenant, paused FROM pool WHERE name = $1 FOR UPDATE;

-- name: set_paused
UPDATE pool SET paused = $2 WHERE name = $1;

-- name: waiting
SELECT count(*) FROM held WHERE pool = $1 AND state = 'held';

-- name: set_overflow
UPDATE pool SET overflow = $3 WHERE tenant = $1 AND name = $2;

-- name: rates
SELECT rate_minute AS per_minute, rate_hour AS per_hour FROM pool WHERE name = $1;

-- name: set_rates
UPDATE pool SET rate_minute = $2, rate_hour = $3 WHERE name = $1;

-- name: overflows
SELECT name, overflow FROM pool WHERE tenant = $1;

-- name: member
SELECT vmta FROM pool_member WHERE tenant = $1 AND pool = $2 AND vmta = $3;

-- name: add_member
INSERT INTO pool_member (tenant, pool, vmta) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
