-- The oldest rows of mailboxes behind their minimum.
SELECT h.*
FROM unnest($1::text[], $2::text[], $3::text[]) AS g (pool, provider, mailbox)
CROSS JOIN LATERAL (
    SELECT bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify, orcpt,
           campaign, key, size, arrived, attempt, failures, blamed, failed_at, reason, until
    FROM held
    WHERE pool = g.pool AND provider = g.provider AND mailbox = g.mailbox
        AND state = 'held' AND NOT waiting AND NOT paused
    ORDER BY arrived, id
    LIMIT $4
) AS h
