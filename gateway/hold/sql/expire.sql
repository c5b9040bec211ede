-- Held too long: given up, and reported as soft. Claimed and doubtful rows are not touched.
WITH old AS (
    SELECT bucket, id FROM held
    WHERE bucket <= $3 AND tenant = $1 AND state = 'held' AND arrived < $2
    LIMIT 500 FOR UPDATE SKIP LOCKED
), changed AS (
    UPDATE held h
    SET state = 'refused', since = $4, ending = 'expired',
        verdict = 'held for longer than allowed; last: ' || h.reason || ' ' || h.detail
    FROM old WHERE h.bucket = old.bucket AND h.id = old.id
    RETURNING h.bucket, h.id, h.body, h.tenant, h.message_id, h.mailbox, h.recipient, h.orcpt,
        h.campaign, h.key, h.attempt, h.verdict,
        h.notify <> '' AND position('FAILURE'::bytea IN h.notify) = 0 AS silent
), told AS (
    INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, sender,
                            recipient, campaign, detail, dsn, envid, orcpt)
    SELECT $4, c.tenant, c.id, 'expired', 'soft', c.message_id, c.mailbox,
           coalesce(b.sender, ''), c.recipient, c.campaign, c.verdict,
           CASE WHEN $5 AND NOT c.silent AND coalesce(b.sender, '') <> '' THEN 'wanted' ELSE '' END,
           coalesce(b.envid, ''), c.orcpt
    FROM changed c LEFT JOIN held_body b ON b.bucket = c.bucket AND b.id = c.body
    ON CONFLICT (message) DO NOTHING
)
SELECT id, key, attempt FROM changed
