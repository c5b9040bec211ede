-- name: hold
-- What waits by tenant. $1: calendar milliseconds before which a doubt began that is old.
SELECT tenant, count(*) AS messages, sum(size)::bigint AS octets, min(arrived) AS oldest,
    count(*) FILTER (WHERE paused) AS paused, count(*) FILTER (WHERE state = 'doubt') AS doubt,
    count(*) FILTER (WHERE state = 'doubt' AND since < $1) AS stuck
FROM held WHERE state IN ('held', 'claimed', 'doubt')
GROUP BY tenant ORDER BY tenant;

-- name: sent
-- Whether mail went before $1, in calendar milliseconds: asked only where no accounting was written.
SELECT EXISTS (SELECT FROM outcome WHERE outcome = 'relayed' AND at < $1);
