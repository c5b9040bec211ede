-- name: today
-- What became of the mail of some IPs on a day.
SELECT ip, tenant, sum(delivered) AS delivered, sum(bounced) AS bounced, sum(deferred) AS deferred
FROM statistics_ip WHERE day = $1 AND ip = ANY ($2::text[]) GROUP BY ip, tenant;

-- name: waiting
SELECT tenant, pool, count(*) AS messages
FROM held WHERE state IN ('held', 'claimed', 'doubt') GROUP BY tenant, pool;
