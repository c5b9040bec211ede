-- Rows that are not sent now: why, until when, whether by themselves, the pool they belong to; and
-- those that never will be, with their event.
WITH wanted AS (
    SELECT * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                         $7::bigint[], $8::text[], $9::bool[], $10::text[], $11::text[],
                         $12::text[], $13::text[], $14::text[])
        AS w (bucket, id, reason, detail, until, due, pool, paused, state, ending, verdict,
              behind, server)
), changed AS (
    UPDATE held h
    SET reason = w.reason, detail = w.detail, until = w.until, waiting = w.due > 0, due = w.due,
        pool = w.pool, paused = w.paused, state = w.state, ending = w.ending,
        verdict = w.verdict, behind = w.behind,
        server = w.server,
        since = CASE WHEN w.state = 'held' THEN h.since ELSE $1 END
    FROM wanted w
    WHERE h.bucket = w.bucket AND h.id = w.id AND h.state = 'held'
    RETURNING h.bucket, h.id, h.body, h.tenant, h.message_id, h.mailbox, h.recipient, h.campaign,
        h.state, h.verdict
)
INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, sender, recipient,
                        campaign, detail)
SELECT $1, c.tenant, c.id, 'refused', 'soft', c.message_id, c.mailbox, coalesce(b.sender, ''),
       c.recipient, c.campaign, c.verdict
FROM changed c LEFT JOIN held_body b ON b.bucket = c.bucket AND b.id = c.body
WHERE c.state = 'refused'
ON CONFLICT (message) DO NOTHING
