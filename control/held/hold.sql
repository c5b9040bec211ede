-- The hold queue is read here, and asked to do something by rows of hold_request; only a releaser
-- changes held rows. Filters, NULL for one not given: $1 tenant, $2 campaign, $3 reason, $4 id of a
-- message or of one recipient's row, $5 and $6 a recipient (policy.address.recipient_spellings).
-- A tenant's name may be given again: what ended before a tenant was made is of a former one, and is
-- not the tenant's. What is open is: nobody gets a name while mail of the former tenant waits.

-- name: summary
-- Counted once, then summed up in each direction: grouping sets over all rows take twice as
-- long, and no parallel workers. Of campaigns, which are their tenant's, the $8 with most mail.
SELECT mask, name, coalesce(whose, '') AS whose, messages, octets, oldest, paused, next FROM (
SELECT grouping(tenant, campaign, pool, provider, reason, state) AS mask,
    CASE WHEN grouping(campaign) = 0 THEN campaign
        ELSE coalesce(tenant, pool, provider, reason, state, '') END AS name,
    CASE WHEN grouping(campaign) = 0 THEN tenant END AS whose,
    coalesce(sum(messages), 0)::bigint AS messages, coalesce(sum(octets), 0)::bigint AS octets,
    min(oldest) AS oldest, coalesce(sum(paused), 0)::bigint AS paused, min(next) AS next,
    row_number() OVER (
        PARTITION BY grouping(tenant, campaign, pool, provider, reason, state)
        ORDER BY sum(messages) DESC, tenant, campaign) AS place
FROM (
    SELECT tenant, campaign, pool, provider, reason, state,
        count(*) AS messages, sum(size) AS octets, min(arrived) AS oldest,
        count(*) FILTER (WHERE paused) AS paused,
        min(CASE WHEN paused OR state <> 'held' THEN NULL WHEN waiting THEN greatest(due, until)
            ELSE nullif(until, 0) END) AS next
    FROM held
    WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR campaign = $2)
        AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR id = $4 OR body = $4)
        AND ($5::bytea IS NULL OR (substring(recipient FROM 1 FOR length($5)) = $5
            AND lower(encode(substring(recipient FROM length($5) + 1), 'escape'))
                IN (SELECT lower(encode(d, 'escape')) FROM unnest($6::bytea[]) d)))
        AND state = ANY($7::text[])
        AND ($1::text IS NULL OR state NOT IN ('done', 'refused') OR since >=
            coalesce((SELECT extract(epoch FROM created) * 1000 FROM tenant WHERE name = $1), 0))
    GROUP BY tenant, campaign, pool, provider, reason, state
) counted
GROUP BY GROUPING SETS ((), (tenant), (tenant, campaign), (pool), (provider), (reason), (state))
) summed
WHERE mask <> 15 OR place <= $8::integer
ORDER BY mask DESC, messages DESC, name, whose;

-- name: messages
SELECT id, body, tenant, pool, provider, mailbox, bulk, recipient, campaign, message_id, size,
    arrived, state, since, reason, detail, until, waiting, due, paused, attempt, server, vmta,
    envelope, failures, blamed, behind, ending, verdict, bucket, key, notify, orcpt
FROM held
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR campaign = $2)
    AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR id = $4 OR body = $4)
    AND ($5::bytea IS NULL OR (substring(recipient FROM 1 FOR length($5)) = $5
        AND lower(encode(substring(recipient FROM length($5) + 1), 'escape'))
            IN (SELECT lower(encode(d, 'escape')) FROM unnest($6::bytea[]) d)))
    AND state = ANY($7::text[])
    AND ($1::text IS NULL OR state NOT IN ('done', 'refused') OR since >=
        coalesce((SELECT extract(epoch FROM created) * 1000 FROM tenant WHERE name = $1), 0))
    AND (arrived, id) > ($8::bigint, $9::text)
ORDER BY arrived, id LIMIT $10;

-- name: matching
SELECT state, paused, paused AND reason = 'campaign_paused' AS by_campaign,
    reason = 'dropping' AS dropping, count(*) AS messages
FROM held
WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR campaign = $2)
    AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR id = $4 OR body = $4)
    AND ($5::bytea IS NULL OR (substring(recipient FROM 1 FOR length($5)) = $5
        AND lower(encode(substring(recipient FROM length($5) + 1), 'escape'))
            IN (SELECT lower(encode(d, 'escape')) FROM unnest($6::bytea[]) d)))
    AND state IN ('held', 'claimed', 'doubt')
GROUP BY 1, 2, 3, 4;

-- name: stopped
-- Of the held ones that match, those whose tenant, pool or campaign is paused.
SELECT CASE WHEN t.paused THEN 'tenant' WHEN p.paused THEN 'pool' ELSE 'campaign' END AS by,
    h.tenant, CASE WHEN t.paused THEN h.tenant WHEN p.paused THEN h.pool ELSE h.campaign END AS name,
    count(*) AS messages
FROM held h JOIN tenant t ON t.name = h.tenant LEFT JOIN pool p ON p.name = h.pool
WHERE ($1::text IS NULL OR h.tenant = $1) AND ($2::text IS NULL OR campaign = $2)
    AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR h.id = $4 OR h.body = $4)
    AND ($5::bytea IS NULL OR (substring(recipient FROM 1 FOR length($5)) = $5
        AND lower(encode(substring(recipient FROM length($5) + 1), 'escape'))
            IN (SELECT lower(encode(d, 'escape')) FROM unnest($6::bytea[]) d)))
    AND state = 'held' AND reason <> 'dropping'
    AND (t.paused OR coalesce(p.paused, false) OR h.campaign = ANY(t.paused_campaigns))
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 10;

-- name: by_id
-- With every bucket named the primary key finds it; ids alone have no index. $1: the id, and that
-- of the first row where the message has several recipients.
SELECT id, body, tenant, pool, provider, mailbox, bulk, recipient, campaign, message_id, size,
    arrived, state, since, reason, detail, until, waiting, due, paused, attempt, server, vmta,
    envelope, failures, blamed, behind, ending, verdict, bucket, key, notify, orcpt
FROM held
WHERE id = ANY($1::text[]) AND state <> 'tombstone'
    AND ($2::text IS NULL OR tenant = $2 AND (state NOT IN ('done', 'refused') OR since >=
        coalesce((SELECT extract(epoch FROM created) * 1000 FROM tenant WHERE name = $2), 0)))
    AND bucket = ANY(ARRAY(SELECT substr(c.relname, 6)::integer
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'held'::regclass))
ORDER BY id LIMIT 1;

-- name: siblings
SELECT id, recipient, state, ending FROM held
WHERE bucket = $1 AND tenant = $2 AND body = $3 AND state <> 'tombstone'
ORDER BY length(id), id LIMIT 10000;

-- name: body
SELECT sender, flags, ret, codec, octet_length(content) AS octets FROM held_body
WHERE bucket = $1 AND id = $2;

-- name: content
SELECT codec, content FROM held_body WHERE bucket = $1 AND id = $2;

-- name: before
-- In the order of the release within a pool and provider: not bulk first, then the oldest.
SELECT count(*) FROM held
WHERE pool = $1 AND provider = $2 AND state = 'held' AND NOT waiting AND NOT paused
    AND (bulk, arrived, id) < ($3::boolean, $4::bigint, $5::text);

-- name: waiting
SELECT tenant, pool, provider, count(*) AS messages, min(arrived) AS oldest,
    count(*) FILTER (WHERE paused) AS paused
FROM held
WHERE state IN ('held', 'claimed') AND ($1::text IS NULL OR tenant = $1)
GROUP BY tenant, pool, provider ORDER BY tenant, pool, messages DESC, provider;

-- name: shortfall
SELECT day, tenant, pool, at, mailboxes, behind, missing, most FROM hold_shortfall
WHERE day > $1 AND behind > 0 AND ($2::text IS NULL OR tenant = $2)
ORDER BY day DESC, tenant, pool;

-- name: receipts
SELECT day, message, attempt, server, kinds, at, recipients FROM receipt
WHERE message = ANY($1::text[]) ORDER BY at, day, attempt;

-- name: add_request
INSERT INTO hold_request (at, who, action, tenant, campaign, recipient, reason, message, force,
    outcome, undo)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id, at, who, action, tenant, campaign, recipient, reason, message, force, outcome, state,
    changed, error, finished, undo, until, undone;

-- name: request
SELECT id, at, who, action, tenant, campaign, recipient, reason, message, force, outcome, state,
    changed, error, finished, undo, until, undone
FROM hold_request
WHERE id = $1 AND ($2::text IS NULL OR tenant = $2 AND (state NOT IN ('done', 'undone', 'failed')
    OR at >= coalesce((SELECT created FROM tenant WHERE name = $2), '-infinity')));

-- name: undo
-- Of one that can be undone still, at $3 (calendar milliseconds); whose it is sees `request`.
UPDATE hold_request SET state = 'undoing'
WHERE id = $1 AND ($2::text IS NULL OR tenant = $2) AND undo > 0
    AND (state IN ('waiting', 'running') OR (state = 'open' AND until > $3))
RETURNING id, at, who, action, tenant, campaign, recipient, reason, message, force, outcome, state,
    changed, error, finished, undo, until, undone;

-- name: requests
SELECT id, at, who, action, tenant, campaign, recipient, reason, message, force, outcome, state,
    changed, error, finished, undo, until, undone
FROM hold_request
WHERE ($1::text IS NULL OR tenant = $1 AND (state NOT IN ('done', 'undone', 'failed')
        OR at >= coalesce((SELECT created FROM tenant WHERE name = $1), '-infinity')))
    AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3;

-- name: forget_requests
-- What was asked about this recipient before, and looks for nobody any more.
UPDATE hold_request SET recipient = ''
WHERE recipient = $1 AND state NOT IN ('waiting', 'running') AND ($2::text IS NULL OR tenant = $2);

-- name: events
SELECT id, at, tenant, message, kind, class, message_id, mailbox, sender, recipient, campaign,
    detail, dsn
FROM hold_event
WHERE id > $1 AND ($2::text IS NULL OR tenant = $2 AND at >=
    coalesce((SELECT extract(epoch FROM created) * 1000 FROM tenant WHERE name = $2), 0))
ORDER BY id LIMIT $3;

-- name: lock_campaigns
SELECT paused_campaigns FROM tenant WHERE name = $1 FOR UPDATE;

-- name: set_campaigns
UPDATE tenant SET paused_campaigns = $2 WHERE name = $1;
