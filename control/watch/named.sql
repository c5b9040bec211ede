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
