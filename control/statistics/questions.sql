-- Sums of days $1 to $2 by the keys named in $3, $4 rows of them behind the first $5; then a value
-- for each column, in their order, that alone counts, or NULL.

-- name: by_ip
SELECT CASE WHEN 'day' = ANY ($3::text[]) THEN day END AS day,
    CASE WHEN 'tenant' = ANY ($3::text[]) THEN tenant END AS tenant,
    CASE WHEN 'ip' = ANY ($3::text[]) THEN ip END AS ip,
    CASE WHEN 'provider' = ANY ($3::text[]) THEN provider END AS provider,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM statistics_ip
WHERE day BETWEEN $1 AND $2
    AND ($6::text IS NULL OR tenant = $6)
    AND ($7::text IS NULL OR ip = $7)
    AND ($8::text IS NULL OR provider = $8)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
LIMIT $4 OFFSET $5;

-- name: by_campaign
SELECT CASE WHEN 'day' = ANY ($3::text[]) THEN day END AS day,
    CASE WHEN 'tenant' = ANY ($3::text[]) THEN tenant END AS tenant,
    CASE WHEN 'campaign' = ANY ($3::text[]) THEN campaign END AS campaign,
    CASE WHEN 'provider' = ANY ($3::text[]) THEN provider END AS provider,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM statistics_campaign
WHERE day BETWEEN $1 AND $2
    AND ($6::text IS NULL OR tenant = $6)
    AND ($7::text IS NULL OR campaign = $7)
    AND ($8::text IS NULL OR provider = $8)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
LIMIT $4 OFFSET $5;

-- name: by_mailbox
SELECT CASE WHEN 'day' = ANY ($3::text[]) THEN day END AS day,
    CASE WHEN 'tenant' = ANY ($3::text[]) THEN tenant END AS tenant,
    CASE WHEN 'mailbox' = ANY ($3::text[]) THEN mailbox END AS mailbox,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM statistics_mailbox
WHERE day BETWEEN $1 AND $2
    AND ($6::text IS NULL OR tenant = $6)
    AND ($7::text IS NULL OR mailbox = $7)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
LIMIT $4 OFFSET $5;

-- name: by_detail
SELECT CASE WHEN 'day' = ANY ($3::text[]) THEN day END AS day,
    CASE WHEN 'tenant' = ANY ($3::text[]) THEN tenant END AS tenant,
    CASE WHEN 'ip' = ANY ($3::text[]) THEN ip END AS ip,
    CASE WHEN 'campaign' = ANY ($3::text[]) THEN campaign END AS campaign,
    CASE WHEN 'provider' = ANY ($3::text[]) THEN provider END AS provider,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM statistics_detail
WHERE day BETWEEN $1 AND $2
    AND ($6::text IS NULL OR tenant = $6)
    AND ($7::text IS NULL OR ip = $7)
    AND ($8::text IS NULL OR campaign = $8)
    AND ($9::text IS NULL OR provider = $9)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
LIMIT $4 OFFSET $5;

-- name: by_detail_of_ip
SELECT CASE WHEN 'day' = ANY ($3::text[]) THEN day END AS day,
    CASE WHEN 'tenant' = ANY ($3::text[]) THEN tenant END AS tenant,
    CASE WHEN 'ip' = ANY ($3::text[]) THEN ip END AS ip,
    CASE WHEN 'campaign' = ANY ($3::text[]) THEN campaign END AS campaign,
    CASE WHEN 'provider' = ANY ($3::text[]) THEN provider END AS provider,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM statistics_detail
WHERE day BETWEEN $1 AND $2
    AND ($6::text IS NULL OR tenant = $6)
    AND ip = $7
    AND ($8::text IS NULL OR campaign = $8)
    AND ($9::text IS NULL OR provider = $9)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
LIMIT $4 OFFSET $5;

-- name: by_detail_of_campaign
SELECT CASE WHEN 'day' = ANY ($3::text[]) THEN day END AS day,
    CASE WHEN 'tenant' = ANY ($3::text[]) THEN tenant END AS tenant,
    CASE WHEN 'ip' = ANY ($3::text[]) THEN ip END AS ip,
    CASE WHEN 'campaign' = ANY ($3::text[]) THEN campaign END AS campaign,
    CASE WHEN 'provider' = ANY ($3::text[]) THEN provider END AS provider,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM statistics_detail
WHERE day BETWEEN $1 AND $2
    AND ($6::text IS NULL OR tenant = $6)
    AND ($7::text IS NULL OR ip = $7)
    AND campaign = $8
    AND ($9::text IS NULL OR provider = $9)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
LIMIT $4 OFFSET $5;

-- name: by_category
SELECT category, sum(bounced) AS bounced FROM statistics_category
WHERE day BETWEEN $1 AND $2
    AND ($3::text IS NULL OR tenant = $3)
    AND ($4::text IS NULL OR ip = $4)
    AND ($5::text IS NULL OR provider = $5)
GROUP BY category ORDER BY 2 DESC, 1;
