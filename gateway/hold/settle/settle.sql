-- name: settle
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

-- name: doubts
-- Open doubts, oldest first, a page at a time. A divided message's attempt settles its own.
SELECT bucket, id, body AS message, tenant, recipient, key, whole, attempt, server, envelope, since,
       reason, behind, failures
FROM held
WHERE state = 'doubt' AND reason <> 'dividing' AND (since, id) > ($1, $2)
ORDER BY since, id LIMIT $3

-- name: receipts
-- Which of these (message, attempt, recipient) PowerMTA has a record of; attempt 0 asks for any,
-- recipient 0 too. A record that names no recipient is one of each.
SELECT DISTINCT w.message, w.attempt, w.recipient
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS w (message, attempt, recipient)
JOIN receipt r ON r.message = w.message AND (w.attempt = 0 OR r.attempt = w.attempt)
WHERE w.recipient = 0 OR r.recipients = '{}' OR w.recipient = ANY(r.recipients)

-- name: proven
-- Per server: up to when a missing receipt proves an absence. Two probes, both accepted, $1
-- milliseconds apart, the second one read; nothing of it from before a gap in the stream, or
-- from before the stream was first looked at.
SELECT s.server, greatest(s.gap_at, s.since) AS gap_at, max(a.sent) AS proven
FROM accounting_stream s
LEFT JOIN (
    probe a JOIN probe b ON b.server = a.server AND b.accepted AND b.read AND b.sent >= a.sent + $1
) ON a.server = s.server AND a.accepted AND a.sent > 0
GROUP BY s.server, s.gap_at, s.since

-- name: first_rows
-- What became of the first ones ($2), for those in doubt behind them; $1: days to look in. One row of
-- one partition at a time: a join may read them all, and without the day it has to.
SELECT w.id, h.state, h.ending
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
CROSS JOIN LATERAL (
    SELECT state, ending FROM held
    WHERE bucket = w.bucket AND id = w.id AND state <> 'tombstone'
    OFFSET 0
) AS h

-- name: first_parts
-- As `first_rows`, all rows of messages with several recipients.
SELECT w.id, h.recipient, h.state, h.ending
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
CROSS JOIN LATERAL (
    SELECT recipient, state, ending FROM held
    WHERE bucket = w.bucket AND id > w.id AND id < w.id || 'y' AND body = w.id
        AND state <> 'tombstone'
    OFFSET 0
) AS h

-- name: days
-- The days there are.
SELECT substr(c.relname, 6)::integer AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'held'::regclass
