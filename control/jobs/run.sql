-- name: known
SELECT due, state FROM job_run WHERE name = $1 AND due >= $2 AND by_hand = '';

-- name: claim
-- Whose it is: a row comes back to one. A second node waits for the first one's insert, and then its
-- update finds nothing to do.
INSERT INTO job_run AS r (name, due, by_hand, state, attempts, node, started, until)
VALUES ($1, $2, $3, 'running', 1, $4, $5, clock_timestamp() + make_interval(secs => $6))
ON CONFLICT (name, due) DO UPDATE SET state = 'running', attempts = r.attempts + 1,
    node = excluded.node, started = excluded.started, ended = NULL, seconds = NULL,
    until = excluded.until
WHERE r.state IN ('running', 'failed') AND r.until <= clock_timestamp()
RETURNING attempts;

-- name: again
-- By hand, whatever became of it before, but for one that runs.
UPDATE job_run SET state = 'running', attempts = attempts + 1, node = $3,
    started = $4, ended = NULL, seconds = NULL, until = clock_timestamp() + make_interval(secs => $5)
WHERE name = $1 AND due = $2 AND (state <> 'running' OR until <= clock_timestamp())
RETURNING attempts;

-- name: alive
UPDATE job_run SET until = clock_timestamp() + make_interval(secs => $4)
WHERE name = $1 AND due = $2 AND attempts = $3 AND state = 'running' RETURNING true;

-- name: end
-- Only by who has it still.
UPDATE job_run SET state = $4, ended = $5, seconds = $6, said = $7,
    until = clock_timestamp() + make_interval(secs => $8)
WHERE name = $1 AND due = $2 AND attempts = $3 AND state = 'running' RETURNING true;

-- name: runs
SELECT name, due, by_hand, state, attempts, node, started, ended, seconds, said FROM job_run
WHERE name = $1 AND ($2::text IS NULL OR state = $2) AND {after} ORDER BY {order} LIMIT {limit};

-- name: one
SELECT name, due, by_hand, state, attempts, node, started, ended, seconds, said FROM job_run
WHERE name = $1 AND due = $2;

-- name: last
SELECT DISTINCT ON (name) name, due, by_hand, state, attempts, node, started, ended, seconds, said
FROM job_run ORDER BY name, due DESC;

-- name: troubled
-- Those given up, and those tried more than once that are not done.
SELECT name, due, by_hand, state, attempts, node, started, ended, seconds, said FROM job_run r
WHERE by_hand = '' AND (state = 'dead' OR (state = 'failed' AND attempts > 1))
    AND NOT EXISTS (SELECT FROM job_run l WHERE l.name = r.name AND l.due > r.due AND l.state = 'done')
ORDER BY name, due;

-- name: sweep
-- Those of before, but for the last of each job.
DELETE FROM job_run r WHERE due < $1 AND state <> 'running'
    AND EXISTS (SELECT FROM job_run l WHERE l.name = r.name AND l.due > r.due);
