-- The oldest rows of each group.
SELECT h.*
FROM unnest($1::text[], $2::text[], $3::bool[]) AS g (pool, provider, bulk)
CROSS JOIN LATERAL (
    SELECT bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify, orcpt,
           campaign, key, size, arrived, attempt, failures, blamed, failed_at, reason, until
    FROM held
    WHERE pool = g.pool AND provider = g.provider AND bulk = g.bulk
        AND state = 'held' AND NOT waiting AND NOT paused
    ORDER BY arrived, id
    LIMIT $4
) AS h
