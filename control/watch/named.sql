-- name: ips
SELECT state, count(*) AS ips FROM virtual_mta GROUP BY state;

-- name: queues
-- Jobs that are due and not done; what waits to be sent; what waits to be counted.
SELECT (SELECT count(*) FROM job_run WHERE state IN ('running', 'failed')) AS "default",
    (SELECT count(*) FROM held WHERE state IN ('held', 'claimed', 'doubt')) AS hold,
    (SELECT count(*) FROM accounting_batch) AS accounting;
