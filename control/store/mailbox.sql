-- name: all
SELECT tenant, address, daily_max, spacing FROM mailbox ORDER BY tenant, address;

-- name: put
INSERT INTO mailbox (tenant, address, daily_max, spacing) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, address)
DO UPDATE SET daily_max = excluded.daily_max, spacing = excluded.spacing;
