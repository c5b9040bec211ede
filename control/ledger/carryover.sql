-- name: try_lock
-- One control node at a time publishes; until the transaction ends.
SELECT pg_try_advisory_xact_lock($1);

-- name: lock
-- Of a publication that must be.
SELECT pg_advisory_xact_lock($1);

-- name: ips
SELECT host(ip) AS ip, server FROM virtual_mta ORDER BY 1;

-- name: ended
-- Recipients of the gateways' grants that PowerMTA has done with.
SELECT ip, day, provider, sum(ended) AS count FROM statistics_ip
WHERE day BETWEEN $1 AND $2 AND ip = ANY ($3::text[]) GROUP BY ip, day, provider;

-- name: taken
-- What PowerMTA's receipts say it took, what was written down of days that are over, or what another
-- ledger than $4 had counted, whichever is more: of days that a lost one has forgotten.
SELECT ip, day, provider, max(count) AS count FROM (
    SELECT ip, day, provider, sum(count)::bigint AS count FROM relayed
    WHERE day BETWEEN $1 AND $2 AND ip = ANY ($3::text[]) GROUP BY ip, day, provider
    UNION ALL
    SELECT ip, day, provider, sent FROM ledger_day
    WHERE day BETWEEN $1 AND $2 AND ip = ANY ($3::text[])
    UNION ALL
    SELECT ip, day, key, value::bigint FROM ledger_counted, jsonb_each_text(counts)
    WHERE day BETWEEN $1 AND $2 AND ip = ANY ($3::text[]) AND incarnation <> $4
) t GROUP BY ip, day, provider;

-- name: feeds
SELECT server, since, came FROM statistics_feed;

-- name: known
SELECT ip, outstanding FROM carry_over WHERE ip = ANY ($1::text[]);

-- name: put
-- In the order of their keys.
INSERT INTO carry_over AS c (ip, at, outstanding)
SELECT n.ip, $1, n.outstanding
FROM unnest($2::text[], $3::jsonb[]) AS n (ip, outstanding) ORDER BY n.ip
ON CONFLICT (ip) DO UPDATE SET at = excluded.at, outstanding = excluded.outstanding
WHERE c.outstanding IS DISTINCT FROM excluded.outstanding;

-- name: gone
DELETE FROM carry_over WHERE NOT ip = ANY ($1::text[]);
