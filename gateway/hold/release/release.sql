-- name: announced
-- Lines that got mail which was not ready, or not there, for the snapshot $1: at most $2 rows of it. The
-- first record is the snapshot to ask with next time.
SELECT pg_current_snapshot()::text AS snapshot, 0::bigint AS rows, NULL AS tenant, NULL AS pool,
    NULL AS provider, NULL AS mailbox, NULL::boolean AS bulk, NULL::int AS day, NULL::bigint AS arrived
UNION ALL
SELECT NULL, count(*), tenant, pool, provider, mailbox, bulk, min(bucket), min(arrived)
FROM (
    SELECT tenant, pool, provider, mailbox, bulk, bucket, arrived
    FROM held
    WHERE readied >= pg_snapshot_xmin($1::text::pg_snapshot)
        AND NOT pg_visible_in_snapshot(readied, $1::text::pg_snapshot)
        AND state = 'held' AND NOT waiting AND NOT paused
    ORDER BY readied
    LIMIT $2
) AS fresh
GROUP BY tenant, pool, provider, mailbox, bulk

-- name: lines
-- Every line behind this one, $5 of them.
SELECT min(tenant) AS tenant, pool, mailbox, provider, bulk, min(bucket) AS day,
    min(arrived) AS arrived, count(*) AS rows
FROM held
WHERE (pool, mailbox, provider, bulk) > ($1, $2, $3, $4)
    AND state = 'held' AND NOT waiting AND NOT paused
GROUP BY pool, mailbox, provider, bulk
ORDER BY pool, mailbox, provider, bulk
LIMIT $5

-- name: rows
-- Rows of lines behind a place of each, oldest first.
SELECT line, bucket, arrived, id, size FROM hold_rows($1, $2, $3, $4, $5, $6, $7, $8)

-- name: lock
-- The rows of one claim, locked until its commit; what another releaser has is skipped. None where
-- PostgreSQL is another server than control knows. Row by row, by primary key: `FOR UPDATE` keeps
-- it from becoming a join, and CASE from matching an index of all that may go. PostgreSQL takes
-- those for the shorter way as long as it believes that nothing may go (a tenant's pause ended).
SELECT h.*
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
CROSS JOIN LATERAL (
    SELECT bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify, orcpt,
        campaign, key, size, arrived, attempt, failures, blamed, failed_at, reason, until
    FROM held
    WHERE bucket = w.bucket AND id = w.id
        AND CASE WHEN state = 'held' THEN NOT waiting AND NOT paused ELSE false END
    FOR UPDATE SKIP LOCKED
) AS h
WHERE (SELECT hold_judged())

-- name: claim
UPDATE held h
SET state = 'claimed', since = $1, claimant = $2, attempt = w.attempt, server = w.server,
    vmta = w.vmta, envelope = w.envelope
FROM unnest($3::int[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[])
    AS w (bucket, id, attempt, server, vmta, envelope)
WHERE h.bucket = w.bucket AND h.id = w.id AND h.state = 'held'

-- name: await_rows
-- Waits for whoever is changing these rows.
SELECT 1 FROM held h JOIN unnest($1::int[], $2::text[]) AS w (bucket, id)
    ON h.bucket = w.bucket AND h.id = w.id
FOR UPDATE OF h

-- name: leave
-- Rows that are not sent now: why, until when, whether by themselves, the pool and the provider they
-- belong to; and those that never will be, with their event.
WITH wanted AS (
    SELECT * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                         $7::bigint[], $8::text[], $9::text[], $10::bool[], $11::text[],
                         $12::text[], $13::text[], $14::text[], $15::text[])
        AS w (bucket, id, reason, detail, until, due, pool, provider, paused, state, ending,
              verdict, behind, server)
), changed AS (
    UPDATE held h
    SET reason = w.reason, detail = w.detail, until = w.until, waiting = w.due > 0, due = w.due,
        pool = w.pool, provider = w.provider, paused = w.paused, state = w.state, ending = w.ending,
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

-- name: unclaim
-- A claim whose commit nobody answered, and that we therefore did not begin.
UPDATE held h
SET state = 'held', since = $4
FROM unnest($2::int[], $3::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id AND h.claimant = $1
    AND h.state IN ('claimed', 'doubt')

-- name: bodies
SELECT b.id, b.sender, b.flags, b.ret, b.envid, b.codec, b.content
FROM held_body b JOIN unnest($1::int[], $2::text[]) AS w (bucket, id)
    ON b.bucket = w.bucket AND b.id = w.id

-- name: rest_mailbox
-- More rows of a mailbox that has to wait, so that they do not stand before everybody else; due $7
-- milliseconds apart, behind $8 others.
WITH resting AS MATERIALIZED (
    SELECT bucket, id, arrived FROM held
    WHERE pool = $1 AND mailbox = $2 AND state = 'held' AND NOT waiting AND NOT paused
    ORDER BY bucket, arrived, id LIMIT $6 FOR UPDATE SKIP LOCKED
), placed AS (
    SELECT bucket, id, row_number() OVER (ORDER BY bucket, arrived, id) - 1 AS place FROM resting
)
UPDATE held h
SET waiting = true, due = CASE WHEN $3 = 0::bigint THEN 0 ELSE $3 + $7::bigint * (p.place + $8::bigint) END,
    reason = $4, detail = $5, until = $3
FROM placed p
WHERE h.bucket = p.bucket AND h.id = p.id

-- name: rest_campaign
-- Rows of a paused campaign leave the way.
UPDATE held SET paused = true, reason = 'campaign_paused', detail = $5, until = 0
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE tenant = $1 AND pool = $2 AND campaign = $3 AND state = 'held' AND NOT waiting
        AND NOT paused
    LIMIT $4 FOR UPDATE SKIP LOCKED)

-- name: renew_mailboxes
-- Rows that wait for a limit of their mailbox as it was, of tenants $2 (null: of all); what binds still
-- is found out again.
WITH renewed AS (
    UPDATE held SET waiting = false, due = 0, until = 0
    WHERE (bucket, id) IN (
        SELECT bucket, id FROM held
        WHERE state = 'held' AND waiting AND reason IN ('mailbox_max', 'mailbox_ramp', 'mailbox_spacing',
            'mailbox_minute', 'mailbox_hour')
            AND ($2::text[] IS NULL OR tenant = ANY ($2))
        ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT count(*) FROM renewed

-- name: renew_campaigns
-- Rows that left the way of others because their campaign was paused, and which is so no more; $2 and
-- $3: the tenants and campaigns that are. What an operator paused himself has another reason.
WITH renewed AS (
    UPDATE held SET paused = false
    WHERE (bucket, id) IN (
        SELECT bucket, id FROM held h
        WHERE state = 'held' AND paused AND reason = 'campaign_paused' AND NOT EXISTS (
            SELECT 1 FROM unnest($2::text[], $3::text[]) AS p (tenant, campaign)
            WHERE p.tenant = h.tenant AND p.campaign = h.campaign)
        LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT count(*) FROM renewed

-- name: stir
-- Rows whose own waiting is over since $3: those of before went, and their dead stand in the index.
UPDATE held SET waiting = false, due = 0
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held WHERE state = 'held' AND waiting AND due <= $1 AND due > $3
    ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED)

-- name: stir_mailbox
-- A few rows of a mailbox that has a place free before its limit ends; they remember how long it was
-- said to bind, so that each that goes calls more.
UPDATE held SET waiting = false, due = 0
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE pool = $1 AND mailbox = $2 AND state = 'held' AND waiting AND NOT paused
        AND reason IN ('mailbox_max', 'mailbox_ramp', 'mailbox_spacing', 'mailbox_minute',
            'mailbox_hour')
    ORDER BY arrived, id LIMIT $3 FOR UPDATE SKIP LOCKED)

-- name: tell_shortfalls
-- What mailboxes lack to their minimum on day $1, at $2; pools that are not named lack nothing.
WITH told AS (
    SELECT * FROM unnest($3::text[], $4::text[], $5::int[], $6::int[], $7::bigint[], $8::bigint[])
        AS t (tenant, pool, mailboxes, behind, missing, most)
), over AS (
    UPDATE hold_shortfall s SET at = $2, mailboxes = 0, behind = 0, missing = 0, most = 0
    WHERE day = $1 AND mailboxes > 0
        AND NOT EXISTS (SELECT 1 FROM told t WHERE t.tenant = s.tenant AND t.pool = s.pool)
)
INSERT INTO hold_shortfall (day, tenant, pool, at, mailboxes, behind, missing, most)
SELECT $1, tenant, pool, $2, mailboxes, behind, missing, most FROM told ORDER BY tenant, pool
ON CONFLICT (day, tenant, pool) DO UPDATE SET at = excluded.at, mailboxes = excluded.mailboxes,
    behind = excluded.behind, missing = excluded.missing, most = excluded.most

-- name: over_shortfalls
-- Days before $1 that ended with a shortfall nobody was told of; those before $2 are let go.
WITH gone AS (
    DELETE FROM hold_shortfall WHERE day < $2
)
UPDATE hold_shortfall SET told = true
WHERE day < $1 AND day >= $2 AND behind > 0 AND NOT told
RETURNING day, tenant, pool, mailboxes, behind, missing, most
