-- name: lock
-- One control node at a time.
SELECT pg_advisory_xact_lock($1);

-- name: pending
-- Days that the ledger may still have, the earliest first, and the first that was ever looked at.
SELECT day FROM consolidation WHERE cleared IS NULL AND day <= $1 ORDER BY day;

-- name: known
SELECT day FROM consolidation WHERE day BETWEEN $1 AND $2;

-- name: one
SELECT day, cleared FROM consolidation WHERE day = $1;

-- name: ips
-- Whose day it may have been: of a VirtualMTA then, or named by accounting or by this table.
SELECT ip FROM vmta_ips_of($1) UNION SELECT ip FROM statistics_ip WHERE day = $1 AND ip <> ''
UNION SELECT ip FROM ledger_day WHERE day = $1 UNION SELECT ip FROM bypass_charge WHERE day = $1
ORDER BY ip;

-- name: put
-- A ledger that lost its counts knows less than it said before: too high, never too low.
INSERT INTO ledger_day AS l (day, ip, provider, sent, around)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::integer[], $5::integer[])
    AS n (ip, provider, sent, around) ORDER BY 2, 3
ON CONFLICT (day, ip, provider) DO UPDATE SET sent = greatest(l.sent, excluded.sent),
    around = greatest(l.around, excluded.around);

-- name: compared
-- Of each IP: what the ledger granted, and what PowerMTA's records say it took of that: receipts (those
-- read in order, or all but those of mail around the gateways), or ends where they are more. An IP whose
-- server told nothing of that day has no second number; one whose server writes no receipts has it
-- when the day's last recipient has ended, $2.
WITH charged AS (
    SELECT ip, sum(sent)::bigint AS sent FROM ledger_day WHERE day = $1 GROUP BY ip
), ordered AS (
    SELECT ip, sum(count)::bigint AS taken FROM relayed WHERE day = $1 GROUP BY ip
), bypassed AS (
    SELECT ip, sum(recipients)::bigint AS around FROM bypass_charge WHERE day = $1 GROUP BY ip
), told AS (
    SELECT ip, sum(relayed)::bigint AS taken, sum(ended)::bigint AS ended
    FROM statistics_ip WHERE day = $1 GROUP BY ip
), every AS (
    SELECT ip, coalesce(c.sent, 0) AS sent, coalesce(t.ended, 0) AS ended,
        greatest(coalesce(o.taken, 0), coalesce(t.taken, 0) - coalesce(b.around, 0)) AS taken
    FROM charged c FULL JOIN ordered o USING (ip) FULL JOIN told t USING (ip)
    LEFT JOIN bypassed b USING (ip)
), servers AS (
    SELECT DISTINCT ON (ip) ip, server FROM vmta_ips_of($1) ORDER BY ip, removed DESC NULLS FIRST
), feeds AS (
    SELECT s.server, bool_or(e.taken > 0) AS receipts,
        EXISTS (SELECT FROM statistics_feed f WHERE f.server IN (s.server, '')
            AND f.since < ($1 + 1) * 86400000::bigint) AS told
    FROM servers s LEFT JOIN every e USING (ip) GROUP BY s.server
)
SELECT e.ip, e.sent, CASE WHEN coalesce(f.receipts OR (f.told AND $2::boolean), e.taken > 0)
    THEN greatest(e.taken, e.ended) END AS accounted
FROM every e LEFT JOIN servers s USING (ip) LEFT JOIN feeds f USING (server)
WHERE e.ip <> '' AND (e.sent > 0 OR e.taken > 0 OR e.ended > 0) ORDER BY e.ip;

-- name: note
INSERT INTO consolidation AS c (day, first_at, at, sent, compared, accounted, difference)
VALUES ($1, $2, $2, $3, $4, $5, $6)
ON CONFLICT (day) DO UPDATE SET at = excluded.at, sent = excluded.sent, compared = excluded.compared,
    accounted = excluded.accounted, difference = excluded.difference;

-- name: cleared
UPDATE consolidation SET cleared = $2 WHERE day = $1 AND cleared IS NULL;

-- name: list
SELECT day, first_at, at, sent, compared, accounted, difference, cleared FROM consolidation
WHERE {after} ORDER BY {order} LIMIT {limit};

-- name: of_day
SELECT day, first_at, at, sent, compared, accounted, difference, cleared FROM consolidation
WHERE day = $1;

-- name: rows
-- Of $3 IPs, each whole: the page behind it begins with the next.
SELECT ip, provider, sent, delivered, bounced, complaints, deferred FROM daily_statistics
WHERE day = $1 AND ip IN (SELECT DISTINCT ip FROM daily_statistics
    WHERE day = $1 AND ($2::text IS NULL OR ip > $2) ORDER BY ip LIMIT $3)
ORDER BY ip, provider;
