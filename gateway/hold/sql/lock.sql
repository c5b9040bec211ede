-- The rows of one claim, locked until its commit; what another releaser has is skipped. None where
-- PostgreSQL is another server than control knows.
SELECT h.bucket, h.id, h.body, h.tenant, h.pool, h.provider, h.mailbox, h.bulk, h.recipient,
       h.notify, h.orcpt, h.campaign, h.key, h.size, h.arrived, h.attempt, h.failures,
       h.blamed, h.failed_at, h.reason, h.until
FROM held h JOIN unnest($1::int[], $2::text[]) AS w (bucket, id)
    ON h.bucket = w.bucket AND h.id = w.id
WHERE h.state = 'held' AND NOT h.waiting AND NOT h.paused
    AND (SELECT hold_judged())
FOR UPDATE OF h SKIP LOCKED
