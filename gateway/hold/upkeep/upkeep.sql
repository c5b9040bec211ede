-- name: beat
INSERT INTO hold_claimant (name, seen) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen = clock_timestamp()

-- name: leave_claimants
DELETE FROM hold_claimant WHERE name = $1

-- name: gone
-- Claims of processes that are gone: what they sent nobody knows. Never back to held. In doubt since
-- the lease ended, whenever that is noticed: what was sent was sent before, and a gap in the
-- accounting behind that moment may have its receipt.
UPDATE held SET state = 'doubt', since = least($1, since + round($2 * 1000)::bigint),
    reason = 'unknown',
    detail = 'the process that was sending it is gone'
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE state = 'claimed' AND split_part(claimant, '/', 1) NOT IN (
        SELECT name FROM hold_claimant
        WHERE seen > clock_timestamp() - make_interval(secs => $2))
    LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING id, key, attempt

-- name: undivided
-- Divided messages whose attempt must be over, $2 milliseconds after their commit, and said nothing:
-- its process is gone. In doubt since then, as in `gone`: the dot may have been said until then.
UPDATE held SET since = least($1::bigint, since + $2::bigint), reason = 'unknown',
    detail = 'the process that was dividing it is gone'
WHERE (bucket, id) IN (
    SELECT bucket, id FROM held
    WHERE state = 'doubt' AND reason = 'dividing' AND since < $1::bigint - $2::bigint
    LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING id, key, attempt

-- name: expire
-- Held too long: given up, and reported as soft. Claimed and doubtful rows are not touched, nor those
-- of a drop that may be undone: nobody is told of what is dropped.
WITH old AS (
    SELECT bucket, id FROM held
    WHERE bucket <= $3 AND tenant = $1 AND state = 'held' AND arrived < $2 AND reason <> 'dropping'
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

-- name: bodies_gone
-- The next rows that ended before $1, after ($2, $3); their contents go unless somebody else of the
-- same message still needs them. Returns the last row looked at.
WITH ended AS (
    SELECT bucket, id, body, since FROM held
    WHERE state IN ('done', 'refused') AND since < $1 AND (since, id) > ($2, $3)
    ORDER BY since, id LIMIT $4
), gone AS (
    DELETE FROM held_body b USING ended e
    WHERE b.bucket = e.bucket AND b.id = e.body
        AND NOT EXISTS (
            SELECT 1 FROM held h
            WHERE h.bucket = b.bucket AND h.id >= b.id AND h.id < b.id || 'y' AND h.body = b.id
                AND (h.state IN ('held', 'claimed', 'doubt') OR h.since >= $1))
)
SELECT since, id, (SELECT count(*) FROM ended) AS seen
FROM ended ORDER BY since DESC, id DESC LIMIT 1

-- name: sweep
SELECT hold_sweep($1, $2)

-- name: old_claimants
DELETE FROM hold_claimant
WHERE seen < clock_timestamp() - interval '1 day'
    AND NOT EXISTS (SELECT 1 FROM held WHERE state = 'claimed' AND split_part(claimant, '/', 1) = name)

-- name: old_probes
DELETE FROM probe WHERE sent > 0 AND sent < $1

-- name: old_events
-- What was told, or asked for, before $1 (milliseconds) and is over: a report that still waits keeps its
-- event, a request that is not finished stays. $2: most of each.
WITH events AS (
    DELETE FROM hold_event WHERE id IN (
        SELECT id FROM hold_event
        WHERE at < $1 AND dsn NOT IN ('wanted', 'sending') ORDER BY id LIMIT $2)
    RETURNING 1
), requests AS (
    DELETE FROM hold_request WHERE id IN (
        SELECT id FROM hold_request
        WHERE state IN ('done', 'undone', 'failed') AND finished < to_timestamp($1 / 1000.0)
        ORDER BY id LIMIT $2)
    RETURNING 1
)
SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM requests) AS requests

-- name: ended_keys
-- Keys of messages that ended without being sent, newest first.
SELECT key, id FROM held
WHERE (state = 'refused' OR (state = 'done' AND ending = 'withdrawn')) AND since >= $1 AND key <> ''
ORDER BY since DESC LIMIT $2

-- name: streams
SELECT server FROM accounting_stream

-- name: probe_last
SELECT server, max(sent) AS sent FROM probe WHERE accepted GROUP BY server

-- name: probe_put
-- Before it is sent: its receipt may be read before we hear the 250.
INSERT INTO probe (id, server, sent) VALUES ($1, $2, $3)

-- name: probe_accepted
UPDATE probe SET accepted = true WHERE id = $1

-- name: probes_wanted
-- Probes control asked for (sent = 0), one at a time, whoever takes it.
DELETE FROM probe WHERE id IN (
    SELECT id FROM probe WHERE sent = 0 ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED)
RETURNING id, server

-- name: dsn_take
-- Marked before it is sent: a report may be lost, but never comes twice.
UPDATE hold_event SET dsn = 'sending'
WHERE id IN (SELECT id FROM hold_event WHERE dsn = 'wanted' ORDER BY id LIMIT 20
             FOR UPDATE SKIP LOCKED)
RETURNING id, at, tenant, message, kind, message_id, sender, recipient, detail, envid, orcpt

-- name: dsn_sent
UPDATE hold_event SET dsn = 'sent' WHERE id = $1

-- name: dsn_again
UPDATE hold_event SET dsn = 'wanted' WHERE id = $1 AND dsn = 'sending'

-- name: request_take
-- The oldest that has something to do at $1; what is to be undone first, for it is no use later.
SELECT id, action, tenant, campaign, recipient, reason, message, outcome, changed, undo, state
FROM hold_request
WHERE state IN ('waiting', 'running', 'ending', 'undoing') OR (state = 'open' AND until <= $1)
ORDER BY state <> 'undoing', id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: request_rows
-- The next rows a request is about; claimed ones are never touched, nor those of a divided message
-- whose attempt is under way; what is being dropped only to forget it. Of a release that may be undone
-- ($9: its number) what it had is not its once more, having met a limit meanwhile. $3, $8: a recipient, as in
-- policy.address.recipient_spellings.
SELECT bucket, id, body, key, whole, attempt, state, behind FROM held h
WHERE reason <> 'dividing' AND (reason <> 'dropping' OR $6::text = 'forget') AND CASE $6::text
        WHEN 'forget' THEN state IN ('held', 'doubt')
        -- One behind another that is here open is settled by that one's row and nothing else.
        WHEN 'settle' THEN state = 'doubt' AND (behind = '' OR NOT EXISTS (
            SELECT 1 FROM held f
            WHERE f.bucket = ANY(ARRAY(SELECT substr(c.relname, 6)::integer
                    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = 'held'::regclass))
                AND f.id >= h.behind AND f.id < h.behind || 'y' AND h.behind IN (f.id, f.body)
                AND f.state IN ('held', 'claimed', 'doubt')))
        ELSE state = 'held' END
    AND ($1::text IS NULL OR tenant = $1)
    AND ($2::text IS NULL OR campaign = $2)
    AND ($3::bytea IS NULL OR (substring(recipient FROM 1 FOR length($3::bytea)) = $3::bytea
            AND lower(encode(substring(recipient FROM length($3::bytea) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($8::bytea[]) AS d)))
    AND ($4::text IS NULL OR reason = $4)
    AND ($5::text IS NULL OR id = $5 OR body = $5)
    AND CASE $6
        WHEN 'pause' THEN NOT paused
        WHEN 'resume' THEN paused
        WHEN 'release' THEN waiting AND NOT paused AND NOT EXISTS (
            SELECT 1 FROM hold_marked m
            WHERE m.request = $9::bigint AND m.bucket = h.bucket AND m.id = h.id)
        ELSE true END
ORDER BY bucket, id LIMIT $7 FOR UPDATE

-- name: request_pause
-- Paused by an operator is not paused with a campaign: it does not end with that one's pause.
UPDATE held h SET paused = $3,
    reason = CASE WHEN $3 AND h.reason = 'campaign_paused' THEN 'paused' ELSE h.reason END
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id

-- name: request_release
-- A pause by an operator ends by his word (resume) and nothing else.
UPDATE held h SET waiting = false, due = 0
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id

-- name: request_end
UPDATE held h
SET state = 'refused', since = $3, ending = $4, verdict = $5
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id

-- name: mark
-- What a request that can be undone takes, as it is.
INSERT INTO hold_marked (request, bucket, id, paused, reason, due)
SELECT $1, h.bucket, h.id, h.paused, h.reason, h.due
FROM held h JOIN unnest($2::int[], $3::text[]) AS w (bucket, id) ON h.bucket = w.bucket AND h.id = w.id

-- name: request_dropping
-- On its way out: nobody sends it, and no order but its own changes it.
UPDATE held h SET paused = true, reason = 'dropping'
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id

-- name: unmark
-- The next marks of a request, which are gone with that.
DELETE FROM hold_marked WHERE (request, bucket, id) IN (
    SELECT request, bucket, id FROM hold_marked WHERE request = $1 ORDER BY bucket, id LIMIT $2)
RETURNING bucket, id, paused, reason, due

-- name: dropping_rows
-- Of rows that were marked those that are still to be dropped.
SELECT h.bucket, h.id, h.body, h.key, h.whole, h.attempt, h.state, h.behind
FROM held h JOIN unnest($1::int[], $2::text[]) AS w (bucket, id) ON h.bucket = w.bucket AND h.id = w.id
WHERE h.state = 'held' AND h.reason = 'dropping'
ORDER BY h.bucket, h.id FOR UPDATE OF h

-- name: put_back
-- What was to be dropped waits again, as it did.
UPDATE held h SET paused = w.paused, reason = w.reason
FROM unnest($1::int[], $2::text[], $3::bool[], $4::text[]) AS w (bucket, id, paused, reason)
WHERE h.bucket = w.bucket AND h.id = w.id AND h.state = 'held' AND h.reason = 'dropping'

-- name: hold_back
-- Of what was released what has not gone, and would not go by itself by $4, waits again as it did; but
-- not what a later release has, too. What met a limit meanwhile waits for that.
UPDATE held h SET waiting = true, due = w.due
FROM unnest($1::int[], $2::text[], $3::bigint[]) AS w (bucket, id, due)
WHERE h.bucket = w.bucket AND h.id = w.id AND h.state = 'held' AND NOT h.waiting
    AND (w.due = 0 OR w.due > $4::bigint)
    AND NOT EXISTS (
        SELECT 1 FROM hold_marked m JOIN hold_request r ON r.id = m.request
        WHERE m.bucket = h.bucket AND m.id = h.id AND m.request > $5::bigint AND r.action = 'release')

-- name: request_settle
-- Doubt that ends by an operator's word, of rows locked before.
UPDATE held h
SET state = $4, since = $3,
    reason = CASE $4 WHEN 'held' THEN 'absent' ELSE '' END,
    detail = CASE $4 WHEN 'held' THEN 'an operator said that it was not sent' ELSE '' END,
    ending = CASE WHEN $4 = 'held' THEN '' WHEN h.behind = '' THEN 'relayed' ELSE 'duplicate' END,
    verdict = CASE $4 WHEN 'held' THEN '' ELSE 'an operator said that it was delivered' END
FROM unnest($1::int[], $2::text[]) AS w (bucket, id)
WHERE h.bucket = w.bucket AND h.id = w.id

-- name: request_done
-- $2 more are changed, $6 put back; $7: until when it can be undone.
UPDATE hold_request
SET changed = changed + $2, undone = undone + $6, state = $3, error = $4, until = $7,
    recipient = CASE WHEN action = 'forget' AND $3 = 'done' THEN '' ELSE recipient END,
    finished = CASE WHEN $3 IN ('done', 'undone', 'failed') THEN to_timestamp($5 / 1000.0) END
WHERE id = $1

-- name: request_busy
-- Whether mail for this recipient is being sent right now: it is to be forgotten after that.
SELECT EXISTS (
    SELECT 1 FROM held
    WHERE (state = 'claimed' OR (state = 'doubt' AND reason = 'dividing'))
        AND (substring(recipient FROM 1 FOR length($1::bytea)) = $1::bytea
            AND lower(encode(substring(recipient FROM length($1::bytea) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($3::bytea[]) AS d))
        AND ($2::text IS NULL OR tenant = $2))

-- name: forget
-- The address leaves the history, too. $1, $3: as in policy.address.recipient_spellings.
WITH rows AS (
    UPDATE held SET recipient = '', orcpt = '', message_id = ''
    WHERE (substring(recipient FROM 1 FOR length($1::bytea)) = $1::bytea
                AND lower(encode(substring(recipient FROM length($1::bytea) + 1), 'escape'))
                    IN (SELECT lower(encode(d, 'escape')) FROM unnest($3::bytea[]) AS d))
        AND ($2::text IS NULL OR tenant = $2) AND state IN ('done', 'refused')
)
UPDATE hold_event SET recipient = '', sender = '', message_id = '', envid = '', orcpt = ''
WHERE (substring(recipient FROM 1 FOR length($1::bytea)) = $1::bytea
        AND lower(encode(substring(recipient FROM length($1::bytea) + 1), 'escape'))
            IN (SELECT lower(encode(d, 'escape')) FROM unnest($3::bytea[]) AS d))
    AND ($2::text IS NULL OR tenant = $2)
