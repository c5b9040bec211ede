-- name: ips
SELECT state, count(*) AS ips FROM virtual_mta GROUP BY state;

-- name: blocklists
-- What is known, listings first: a scrape has so many lines and no more.
SELECT subject, zone, state = 'listed' AS listed FROM blocklist_answer
WHERE kind = 'ip' AND state <> 'unknown' ORDER BY (known = 'listed') DESC, subject, zone LIMIT $1;

-- name: domains
SELECT domain, bool_and(valid) AS valid FROM domain_check WHERE verdict <> 'unknown'
GROUP BY domain ORDER BY bool_and(valid), domain LIMIT $1;

-- name: queues
-- Jobs that are due and not done; what waits to be sent; what waits to be counted.
SELECT (SELECT count(*) FROM job_run WHERE state IN ('running', 'failed')) AS "default",
    (SELECT count(*) FROM held WHERE state IN ('held', 'claimed', 'doubt')) AS hold,
    (SELECT count(*) FROM accounting_batch) AS accounting;

-- name: feeds
-- Servers whose records were read.
SELECT server FROM statistics_feed;

-- name: ended
-- Recipients of grants of day $1 that PowerMTA has done with.
SELECT ip, sum(ended)::bigint AS ended FROM statistics_ip WHERE day = $1 AND ended > 0 GROUP BY ip;

-- name: bounces
-- Each once, whenever it was of: these rows are never deleted.
SELECT coalesce(sum(records), 0)::bigint FROM accounting_kind WHERE kind IN ('b', 'rb');
