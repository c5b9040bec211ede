-- name: put
INSERT INTO mailbox (tenant, address, daily_max, spacing, daily_min) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, address)
DO UPDATE SET daily_max = excluded.daily_max, spacing = excluded.spacing,
    daily_min = excluded.daily_min
RETURNING id;
