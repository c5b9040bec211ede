-- name: one
-- What is known of a key that is kept for $3 seconds.
SELECT request, status, answer, greatest(extract(epoch FROM until - now()), 0)::float8 AS left
FROM request_once
WHERE holder = $1 AND key = $2 AND at > now() - make_interval(secs => $3);

-- name: kept
-- How many keys of a holder are kept for $2 seconds, and when the next of them is free.
SELECT count(*) AS used, coalesce(
    extract(epoch FROM min(at) + make_interval(secs => $2) - now()), 0)::float8 AS frees
FROM request_once
WHERE holder = $1 AND at > now() - make_interval(secs => $2);

-- name: claim
-- A key that is new, is kept no longer than $6 seconds, or whose request nobody does any more: what
-- it did is not committed then, and `settle` lets it commit no more. No row: another has it.
INSERT INTO request_once AS o (holder, key, request, claim, at, until)
VALUES ($1, $2, $3, $4, now(), now() + make_interval(secs => $5))
ON CONFLICT (holder, key) DO UPDATE SET
    request = excluded.request, claim = excluded.claim, at = excluded.at, until = excluded.until,
    status = NULL, answer = NULL
WHERE o.at <= now() - make_interval(secs => $6)
    OR (o.answer IS NULL AND o.until <= now() AND o.request = excluded.request)
RETURNING true;

-- name: settle
-- In the transaction of the change. No row: the claim was lost, or has its answer.
UPDATE request_once SET status = $4, answer = $5
WHERE holder = $1 AND key = $2 AND claim = $3 AND answer IS NULL
RETURNING true;

-- name: finish
-- The answer as it was given: with what is known behind the commit alone.
UPDATE request_once SET status = $4, answer = $5
WHERE holder = $1 AND key = $2 AND claim = $3;

-- name: release
-- Nothing was done: the key may be used again. Waits for a commit whose outcome nobody heard.
DELETE FROM request_once WHERE holder = $1 AND key = $2 AND claim = $3 AND answer IS NULL;

-- name: sweep
DELETE FROM request_once WHERE at <= now() - make_interval(secs => $1);
