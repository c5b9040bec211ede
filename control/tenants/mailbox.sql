-- name: put
INSERT INTO mailbox (tenant, address, daily_max, spacing, daily_min) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, address)
DO UPDATE SET daily_max = excluded.daily_max, spacing = excluded.spacing,
    daily_min = excluded.daily_min
RETURNING id;

-- name: sender
-- Who sends from a domain; it is one tenant's.
SELECT tenant FROM sending_domain WHERE domain = $1;
