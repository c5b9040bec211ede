-- name: get
SELECT incarnation, opened, run, state, lost_at, detail, asked, closed FROM ledger WHERE name = $1;

-- name: lock
-- One control node at a time opens, closes or rebuilds; until the transaction ends.
SELECT pg_advisory_xact_lock($1);

-- name: try_lock
SELECT pg_try_advisory_xact_lock($1);

-- name: opened
INSERT INTO ledger (name, incarnation, opened, run, closed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, opened = excluded.opened,
    run = excluded.run, state = 'open', lost_at = 0, detail = '', asked = '{}',
    closed = excluded.closed;

-- name: run
UPDATE ledger SET run = $2 WHERE name = $1;

-- name: lost
-- `closed` stays: what an earlier rebuilding closed is undone by the next.
UPDATE ledger SET state = 'rebuilding', lost_at = $2, detail = $3, asked = '{}'
WHERE name = $1 AND state = 'open';

-- name: waiting
UPDATE ledger SET detail = $2, asked = $3 WHERE name = $1;

-- name: cleared
UPDATE ledger SET closed = '{}' WHERE name = $1;

-- name: streams
SELECT server, since, gap_at, problem FROM accounting_stream;

-- name: first_vmtas
-- Before its first VirtualMTA no recipient went to a server; one that was removed counts.
SELECT server, min(created) AS created FROM vmta_ip GROUP BY server;

-- name: ips_of_day
-- By server; removed ones may be added again before the day is over.
SELECT DISTINCT server, ip FROM vmta_ips_of($1) ORDER BY server, ip;

-- name: probes
SELECT id, server, sent, accepted, read FROM probe WHERE id = ANY($1::text[]);

-- name: ask_probe
-- A releaser takes probes that were never sent, sends them and writes when.
INSERT INTO probe (id, server, sent) VALUES ($1, $2, 0);

-- name: relayed
SELECT day, vmta, ip, provider, count FROM relayed WHERE day BETWEEN $1 AND $2;

-- name: bypass
-- What went around the gateways; of the IP, whatever its VirtualMTA was.
SELECT day, '' AS vmta, ip, provider, recipients AS count FROM bypass_charge
WHERE day BETWEEN $1 AND $2;

-- name: taken
-- What PowerMTA took, by VirtualMTA, as its queues are, and day of the grant. What may be of two IPs
-- stands with each; the one with more has all of it.
SELECT vmta, day, sum(count)::bigint AS count FROM (
    SELECT vmta, day, provider, max(count) AS count FROM relayed
    WHERE vmta = ANY($1::text[]) AND day BETWEEN $2 AND $3 AND count > 0
    GROUP BY vmta, day, provider
) r GROUP BY vmta, day;

-- name: charged
-- Charged, and nobody knows whether PowerMTA took it; what it took is in `relayed`. Of each IP that the
-- VirtualMTA was on the day; '' where that is not known.
SELECT c.day, c.vmta, coalesce(i.ip, '') AS ip, c.provider, c.count
FROM (SELECT h.day, h.vmta, h.provider, count(*) AS count
FROM (
    SELECT substring(envelope FROM '^([0-9]{1,7})-')::integer AS day,
        substring(envelope FROM '^[0-9]+-([0-9a-z]+)\.') AS message,
        substring(envelope FROM '\.([0-9]{1,9})')::integer AS attempt,
        id, vmta, provider
    FROM held WHERE state IN ('claimed', 'doubt') AND envelope <> ''
) h
WHERE h.day BETWEEN $1 AND $2 AND NOT EXISTS (
    SELECT 1 FROM receipt r
    WHERE r.day = h.day AND r.message = h.message AND r.attempt = h.attempt
        -- Went to several at once: a record may be another recipient's. Too high, never too low.
        AND (h.message = h.id OR r.recipients = '{}')
)
GROUP BY h.day, h.vmta, h.provider) c
LEFT JOIN LATERAL (SELECT DISTINCT v.ip FROM vmta_ips_of(c.day) v WHERE v.vmta = c.vmta) i ON true;

-- name: behind_entries
-- One that is in doubt behind another is not the owner of its entry: that is the other one, of which
-- nothing else may be known. Its own row or record, where there is one, is written later.
SELECT key, behind AS owner, 0 AS attempt, 'D' AS state, since, server
FROM held WHERE state = 'doubt' AND key <> '' AND behind <> '';

-- name: held_entries
SELECT key, id AS owner, attempt, CASE state WHEN 'doubt' THEN 'D' ELSE 'H' END AS state, since,
    server
FROM held WHERE state IN ('held', 'claimed', 'doubt') AND key <> '' AND behind = '';

-- name: whole_entries
-- Of messages with several recipients that are here or were lately: a copy of one is held, and each of
-- its recipients judged by that recipient's row or entry.
SELECT whole AS key, body AS owner, min(attempt) AS attempt, 'H' AS state, max(since) AS since,
    '' AS server
FROM held
WHERE whole <> '' AND (state IN ('held', 'claimed', 'doubt') OR (state <> 'tombstone' AND since >= $1))
GROUP BY whole, body ORDER BY min(arrived);

-- name: sent_entries
SELECT key, message AS owner, attempt, 'S' AS state, at AS since, server
FROM receipt WHERE key <> '' AND at >= $1;

-- name: began
-- Mailboxes that sent since $1, and when their ramps began.
SELECT tenant, mailbox, first, day FROM mailbox_began WHERE day >= $1 ORDER BY tenant, mailbox;

-- name: plans
-- The newest first. They are read one by one: each may be megabytes.
SELECT number, extract(epoch FROM created)::float8 AS created, encoded
FROM generation ORDER BY number DESC;

-- name: waiting_mail
SELECT state, count(*) AS count FROM held WHERE state IN ('held', 'claimed', 'doubt')
GROUP BY state ORDER BY state;

-- name: restorable
SELECT count(*) FROM held
WHERE state IN ('held', 'claimed') OR (state = 'doubt' AND reason <> 'restored');

-- name: restored
-- Also for a dump from before the first opening, or from the middle of a rebuilding, whose probes
-- prove nothing about what went since.
INSERT INTO ledger (name, incarnation, opened, state, lost_at, detail)
VALUES ($1, '', $2, 'rebuilding', $3, $4)
ON CONFLICT (name) DO UPDATE SET state = 'rebuilding', lost_at = excluded.lost_at,
    detail = excluded.detail, asked = '{}';

-- name: restore
SELECT hold_restore($1);
