-- name: keep
-- One commit of messages and their rows; a conflict (a tombstone) fails the whole.
-- $1 the contents, $2 the rows (`gateway.hold.keep.packing`). By id, as `tombstone` locks them.
WITH bodies AS (
    INSERT INTO held_body (bucket, id, sender, flags, ret, envid, codec, content)
    SELECT bucket, id, sender, flags, ret, envid, codec, content FROM unnest($1::hold_message[])
)
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, waiting, due, attempt, server, vmta, envelope, failures, behind, whole)
SELECT bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
       orcpt, campaign, key, message_id, size, arrived, state, arrived, reason, detail,
       until, waiting, due, attempt, server, vmta, envelope, failures, behind, whole
FROM unnest($2::hold_recipient[])
ORDER BY id

-- name: keep_again
-- Behind `keep`: messages again whose first commit was settled as not done. Their tombstones
-- become the rows, if no later settling has touched them since ($3).
ON CONFLICT (bucket, id) DO UPDATE SET
    body = excluded.body, tenant = excluded.tenant, pool = excluded.pool,
    provider = excluded.provider, mailbox = excluded.mailbox, bulk = excluded.bulk,
    recipient = excluded.recipient, notify = excluded.notify, orcpt = excluded.orcpt,
    campaign = excluded.campaign, key = excluded.key, message_id = excluded.message_id,
    size = excluded.size, arrived = excluded.arrived, state = excluded.state,
    since = excluded.since, reason = excluded.reason, detail = excluded.detail,
    until = excluded.until, waiting = excluded.waiting, due = excluded.due,
    attempt = excluded.attempt, server = excluded.server, vmta = excluded.vmta,
    envelope = excluded.envelope, failures = excluded.failures, behind = excluded.behind,
    whole = excluded.whole
WHERE held.state = 'tombstone' AND held.failures = $3
RETURNING id

-- name: tombstone
-- Settles commits nobody answered: waits for a transaction that is still under way; what is
-- returned was not committed and can never be (policy/README.md: hold).
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, attempt, failures)
SELECT bucket, id, '', '', '', '', '', true, '', '', '', '', '', '', 0, $3, 'tombstone', $3,
       'tombstone', '', 0, 0, 1
FROM unnest($1::int[], $2::text[]) AS wanted (bucket, id)
ORDER BY id
ON CONFLICT (bucket, id) DO UPDATE SET failures = held.failures + 1
    WHERE held.state = 'tombstone'
RETURNING id, failures

-- name: unsure
-- As `tombstone`, every row of a message whose client was told that it was not stored: waits for
-- a commit that is still under way, ends what it left here and nobody took up since, and makes a
-- late one impossible. $3: now; $4: number of the last attempt; $5: what the client was told.
-- Twice is as good as once.
INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, notify,
                  orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail,
                  until, attempt, failures)
SELECT $1, id, '', '', '', '', '', true, '', '', '', '', '', '', 0, $3, 'tombstone', $3,
       'tombstone', $5, 0, $4, 1
FROM unnest($2::text[]) AS wanted (id)
ORDER BY id
ON CONFLICT (bucket, id) DO UPDATE SET
    state = CASE WHEN held.state = 'tombstone' THEN 'tombstone' ELSE 'done' END,
    since = excluded.since, ending = 'withdrawn', verdict = excluded.detail,
    -- A second try past an earlier tombstone goes by this number.
    failures = held.failures + CASE WHEN held.state = 'tombstone' THEN 1 ELSE 0 END
    WHERE held.state = 'tombstone' OR held.ending = 'withdrawn'
        OR (held.state IN ('held', 'doubt') AND held.attempt = excluded.attempt)
RETURNING id, key

-- name: summary_read
SELECT at, data, took, extract(epoch FROM clock_timestamp() - taken)::float8 AS age FROM hold_summary

-- name: summary_take
-- Counts what is open, if nobody else is counting: a transaction-level lock, one statement.
WITH mine AS (
    SELECT pg_try_advisory_xact_lock(103686592135172) AS locked
), counted AS (
    SELECT tenant, pool, provider, state, reason, waiting, paused, count(*) AS count,
           sum(size)::bigint AS octets, min(arrived) AS oldest,
           min(CASE WHEN waiting THEN greatest(due, until) ELSE until END)
               FILTER (WHERE waiting OR until > 0) AS next
    FROM held
    WHERE state IN ('held', 'claimed', 'doubt') AND (SELECT locked FROM mine)
    GROUP BY tenant, pool, provider, state, reason, waiting, paused
)
INSERT INTO hold_summary (taken, at, data)
SELECT clock_timestamp(), $1, coalesce(jsonb_agg(counted), '[]') FROM counted
WHERE (SELECT locked FROM mine)
ON CONFLICT (one) DO UPDATE SET taken = excluded.taken, at = excluded.at, data = excluded.data
RETURNING at, data

-- name: summary_took
UPDATE hold_summary SET took = $1
