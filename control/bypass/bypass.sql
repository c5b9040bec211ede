-- name: known
-- Of names and addresses in records: the IP that each was on the day. A record that does not say which
-- server it is of, or names none of ours, may be of any.
WITH asked AS (
    SELECT * FROM unnest($1::integer[], $2::text[], $3::text[]) AS n (day, vmta, source_ip)
), here AS (
    SELECT d.day, i.vmta, i.ip, i.server
    FROM (SELECT DISTINCT day FROM asked) d
    CROSS JOIN LATERAL vmta_ips_of(d.day) i
    WHERE i.server = $4 OR NOT EXISTS (SELECT 1 FROM pmta_server WHERE name = $4)
)
SELECT DISTINCT a.day, a.vmta, a.source_ip, h.ip, h.server, h.ip = a.source_ip AS left_from
FROM asked a
JOIN here h ON h.day = a.day AND (lower(h.vmta) = a.vmta OR h.ip = a.source_ip)
ORDER BY a.day, a.vmta, a.source_ip, h.ip, h.server;

-- name: partition
SELECT day_partition('bypass_seen', $1);

-- name: meet
-- In one order, so that two that meet the same recipients wait for each other and never in a circle.
INSERT INTO bypass_seen AS s (day, id, receipts, finals, others)
SELECT * FROM unnest($1::integer[], $2::bytea[], $3::integer[], $4::integer[], $5::integer[]) AS n
ORDER BY 1, 2
ON CONFLICT (day, id) DO UPDATE SET receipts = s.receipts + excluded.receipts,
    finals = s.finals + excluded.finals, others = greatest(s.others, excluded.others)
RETURNING day, id, greatest(receipts, finals, others) - counted AS more;

-- name: counted
UPDATE bypass_seen s SET counted = greatest(receipts, finals, others)
FROM unnest($1::integer[], $2::bytea[]) AS n (day, id) WHERE s.day = n.day AND s.id = n.id;

-- name: told_apart
-- Which of these are, and how many a day has.
SELECT n.day, n.server, n.vmta, n.ip, n.login, n.source, n.job,
    (SELECT count(*) FROM bypass c WHERE c.day = n.day) AS rows, b.day IS NOT NULL AS present
FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS n (day, server, vmta, ip, login, source, job)
LEFT JOIN bypass b USING (day, server, vmta, ip, login, source, job);

-- name: add
INSERT INTO bypass AS b
    (day, server, vmta, ip, login, source, job, recipients, first_at, last_at)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::bigint[], $9::bigint[], $10::bigint[]) AS n
ORDER BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (day, server, vmta, ip, login, source, job) DO UPDATE
SET recipients = b.recipients + excluded.recipients,
    first_at = least(b.first_at, excluded.first_at),
    last_at = greatest(b.last_at, excluded.last_at);

-- name: charge
INSERT INTO bypass_charge AS c (day, ip, provider, recipients)
SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::bigint[]) AS n
ORDER BY 1, 2, 3
ON CONFLICT (day, ip, provider) DO UPDATE SET recipients = c.recipients + excluded.recipients;

-- name: pending
-- What the ledger that is in force was not told, of days that may still be granted on.
SELECT day, ip, provider, recipients FROM bypass_charge
WHERE day >= $1 AND (incarnation <> $2 OR applied < recipients)
ORDER BY day, ip, provider LIMIT $3;

-- name: applied
-- Locked in the order in which records raise them.
WITH told AS (
    SELECT c.day, c.ip, c.provider, n.recipients
    FROM bypass_charge c
    JOIN unnest($2::integer[], $3::text[], $4::text[], $5::bigint[])
        AS n (day, ip, provider, recipients) USING (day, ip, provider)
    WHERE c.incarnation <> $1 OR c.applied < n.recipients
    ORDER BY c.day, c.ip, c.provider FOR UPDATE OF c
)
UPDATE bypass_charge c SET applied = told.recipients, incarnation = $1
FROM told WHERE (c.day, c.ip, c.provider) = (told.day, told.ip, told.provider);

-- name: list
SELECT day, server, vmta, ip, login, source, job, recipients, first_at, last_at FROM bypass
WHERE day >= $1 ORDER BY day DESC, recipients DESC, server, vmta, ip, login, source, job LIMIT $2;

-- name: servers
-- Of each server: recipients of the day, and when the last were seen. One that never had any is 0, so
-- that the alert sees the first.
SELECT s.name AS server, coalesce(sum(b.recipients) FILTER (WHERE b.day = $1), 0)::bigint AS today,
    coalesce(max(b.last_at), 0)::bigint AS last_at
FROM pmta_server s LEFT JOIN bypass b ON b.server = s.name AND b.day >= $1 - 1
GROUP BY s.name ORDER BY s.name;

-- name: largest
-- Of sources that were seen since: all recipients, when the last was, and the one with most.
SELECT sum(recipients) OVER ()::bigint AS all_recipients, max(last_at) OVER () AS newest,
    vmta, login, source, job
FROM bypass WHERE last_at >= $1 ORDER BY recipients DESC, vmta, login, source, job LIMIT 1;

-- name: sweep
SELECT day_sweep('bypass_seen', $1);

-- name: sweep_counts
WITH gone AS (DELETE FROM bypass WHERE day < $1)
DELETE FROM bypass_charge WHERE day < $1;
