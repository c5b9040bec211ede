-- name: days
-- Of IPs $1 while they were of the tenants $2.
SELECT s.ip, s.provider, s.day,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced_address) AS bounced_address,
    sum(complaints) AS complaints, sum(deferred) AS deferred
FROM statistics_ip s JOIN unnest($1::text[], $2::text[]) AS n (ip, tenant) USING (ip, tenant)
WHERE s.day BETWEEN $3 AND $4 GROUP BY s.ip, s.provider, s.day;

-- name: pools
SELECT m.tenant, m.pool, s.provider, s.day,
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced_address) AS bounced_address,
    sum(complaints) AS complaints, sum(deferred) AS deferred
FROM pool_member m JOIN virtual_mta v ON v.name = m.vmta AND v.tenant = m.tenant
    JOIN statistics_ip s ON s.ip = host(v.ip) AND s.tenant = v.tenant
WHERE m.tenant = ANY ($1::text[]) AND s.day BETWEEN $2 AND $3
    AND (SELECT count(*) FROM pool_member o WHERE o.pool = m.pool AND o.tenant = m.tenant) > 1
GROUP BY m.tenant, m.pool, s.provider, s.day;

-- name: replies
SELECT w.ip, w.day, w.provider, w.rule, w.action, w.last_at
FROM warmup_reply w JOIN unnest($1::text[], $2::text[]) AS n (ip, tenant) USING (ip, tenant)
WHERE w.day BETWEEN $3 AND $4;

-- name: ledger_days
-- Of days that the ledger let go of.
SELECT l.ip, l.day, l.provider, l.sent
FROM unnest($1::text[]) AS n (ip) CROSS JOIN generate_series($2::integer, $3::integer) AS d (day)
JOIN ledger_day l ON l.day = d.day AND l.ip = n.ip;
