-- name: put
INSERT INTO mailbox (tenant, address, daily_max, spacing, daily_min, spacing_max, ramp, ramp_from,
    rate_minute, rate_hour)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::date, $9, $10)
ON CONFLICT (tenant, address)
DO UPDATE SET daily_max = excluded.daily_max, spacing = excluded.spacing,
    daily_min = excluded.daily_min, spacing_max = excluded.spacing_max, ramp = excluded.ramp,
    ramp_from = excluded.ramp_from, rate_minute = excluded.rate_minute,
    rate_hour = excluded.rate_hour
RETURNING id;

-- name: sender
-- Who sends from a domain; it is one tenant's.
SELECT tenant FROM sending_domain WHERE domain = $1;

-- name: others
-- Which of these domains another tenant sends from.
SELECT domain, tenant FROM sending_domain WHERE domain = ANY ($2::text[]) AND tenant <> $1;

-- name: lock
SELECT mailbox_max, mailbox_min FROM tenant WHERE name = $1 FOR UPDATE;

-- name: remove
DELETE FROM mailbox WHERE tenant = $1 AND address = $2
RETURNING daily_max, daily_min, spacing, spacing_max, ramp, ramp_from::text,
    rate_minute AS per_minute, rate_hour AS per_hour;

-- name: import
-- $3: the columns that the list has; of one it has not, what was there stays. Rows that say what is
-- there already are not written.
WITH given AS (
    SELECT * FROM unnest($2::text[], $4::bigint[], $5::bigint[], $6::float8[], $7::float8[],
        $8::text[], $9::text[], $10::bigint[], $11::bigint[])
        AS g (address, daily_max, daily_min, spacing, spacing_max, ramp, ramp_from, per_minute, per_hour)
), wanted AS (
    SELECT g.address, w.*
    -- One by one (OFFSET keeps it so): a join would read all of a large tenant for each part of a list.
    FROM given g LEFT JOIN LATERAL (
        SELECT * FROM mailbox o WHERE o.tenant = $1 AND o.address = g.address OFFSET 0) m ON true
    CROSS JOIN LATERAL (SELECT
        CASE WHEN 'daily_max' = ANY ($3) THEN g.daily_max ELSE m.daily_max END AS daily_max,
        CASE WHEN 'daily_min' = ANY ($3) THEN g.daily_min ELSE m.daily_min END AS daily_min,
        CASE WHEN 'spacing' = ANY ($3) THEN g.spacing ELSE m.spacing END AS spacing,
        CASE WHEN 'spacing_max' = ANY ($3) THEN g.spacing_max ELSE m.spacing_max END AS spacing_max,
        CASE WHEN 'ramp' = ANY ($3) THEN g.ramp::bigint[] ELSE m.ramp END AS ramp,
        CASE WHEN 'ramp_from' = ANY ($3) THEN g.ramp_from::date ELSE m.ramp_from END AS ramp_from,
        CASE WHEN 'per_minute' = ANY ($3) THEN g.per_minute ELSE m.rate_minute END AS rate_minute,
        CASE WHEN 'per_hour' = ANY ($3) THEN g.per_hour ELSE m.rate_hour END AS rate_hour) AS w
    -- Before the INSERT: one that changes nothing would lock each row all the same, which writes it.
    WHERE m.address IS NULL OR (m.daily_max, m.daily_min, m.spacing, m.spacing_max, m.ramp,
            m.ramp_from, m.rate_minute, m.rate_hour)
        IS DISTINCT FROM (w.daily_max, w.daily_min, w.spacing, w.spacing_max, w.ramp, w.ramp_from,
            w.rate_minute, w.rate_hour)
), written AS (
    INSERT INTO mailbox AS m
        (tenant, address, daily_max, daily_min, spacing, spacing_max, ramp, ramp_from, rate_minute,
        rate_hour)
    SELECT $1, w.* FROM wanted w
    ON CONFLICT (tenant, address) DO UPDATE SET daily_max = excluded.daily_max,
        daily_min = excluded.daily_min, spacing = excluded.spacing,
        spacing_max = excluded.spacing_max, ramp = excluded.ramp, ramp_from = excluded.ramp_from,
        rate_minute = excluded.rate_minute, rate_hour = excluded.rate_hour
    RETURNING xmax = 0 AS added
)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS changed FROM written;

-- name: impossible
-- Rows of a list that contradict themselves once they are written.
SELECT address, daily_max, daily_min, spacing, spacing_max FROM mailbox
WHERE tenant = $1 AND address = ANY ($2::text[])
    AND (daily_min > daily_max OR (spacing_max IS NOT NULL AND spacing_max < coalesce(spacing, 1e9)))
ORDER BY address COLLATE "C" LIMIT $3;
