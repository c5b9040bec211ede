-- Changes of rows that left 'claimed' or 'doubt', each naming the attempt it leaves, so that a
-- process that was frozen changes nothing. Events are written with the change they report.
WITH wanted AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[],
                         $7::bigint[], $8::int[], $9::int[], $10::text[], $11::text[], $12::text[],
                         $13::text[])
        AS w (bucket, id, attempt, state, reason, detail, due, failed, blamed, ending, verdict,
              event, dsn)
), changed AS (
    UPDATE held h
    SET state = w.state, since = $14, reason = w.reason, detail = w.detail, until = w.due,
        waiting = w.due > 0, due = w.due, failures = h.failures + w.failed,
        blamed = h.blamed + w.blamed,
        failed_at = CASE WHEN w.failed > 0 THEN $14 ELSE h.failed_at END, ending = w.ending,
        verdict = w.verdict, claimant = ''
    FROM wanted w
    WHERE h.bucket = w.bucket AND h.id = w.id AND h.attempt = w.attempt
        AND (h.state IN ('claimed', 'doubt')
            -- Settled as absent, and PowerMTA's late reply says otherwise before it went again.
            OR (h.state = 'held' AND w.state = 'done' AND w.ending = 'relayed')
            -- Withdrawn by a commit whose answer came too late for the client: it was told 250.
            OR (h.state = 'done' AND h.ending = 'withdrawn' AND w.state = 'refused'))
    RETURNING h.bucket, h.id, h.body, h.tenant, h.message_id, h.mailbox, h.recipient, h.orcpt,
        h.campaign, h.key, h.attempt, h.state, h.ending, w.event, w.dsn, w.verdict,
        -- NOTIFY without FAILURE wants no report (RFC 3461 6.2).
        h.notify <> '' AND position('FAILURE'::bytea IN h.notify) = 0 AS silent
), told AS (
    INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, sender,
                            recipient, campaign, detail, dsn, envid, orcpt)
    SELECT $14, c.tenant, c.id, c.event, 'soft', c.message_id, c.mailbox,
           coalesce(b.sender, ''), c.recipient, c.campaign, c.verdict,
           CASE WHEN coalesce(b.sender, '') = '' OR c.silent THEN '' ELSE c.dsn END,
           coalesce(b.envid, ''), c.orcpt
    FROM changed c LEFT JOIN held_body b ON b.bucket = c.bucket AND b.id = c.body
    WHERE c.event <> ''
    ON CONFLICT (message) DO NOTHING
)
SELECT id, key, attempt, state, ending FROM changed
UNION ALL
-- Written before, by a commit whose answer was lost: its entry may still have to follow.
SELECT h.id, h.key, h.attempt, h.state, h.ending
FROM held h JOIN wanted w ON h.bucket = w.bucket AND h.id = w.id
    AND h.attempt = w.attempt AND h.state = w.state
