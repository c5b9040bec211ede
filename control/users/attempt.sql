-- name: known
-- When the account signed in from that source last, if it did.
SELECT known FROM login_attempt WHERE account = $1 AND source = $2;

-- name: failures
-- In the last hour: of the account whatever the source, of the source whatever the account, of all.
SELECT
    (SELECT coalesce(sum(failures), 0) FROM login_attempt
        WHERE account = $1 AND at > now() - interval '1 hour') AS account,
    (SELECT coalesce(sum(failures), 0) FROM login_attempt
        WHERE source = $2 AND at > now() - interval '1 hour') AS source,
    (SELECT coalesce(sum(failures), 0) FROM login_attempt
        WHERE at > now() - interval '1 hour') AS every;

-- name: begin
-- Counted as a failure before the password is looked at: of many at a time none goes uncounted.
-- $3 failures lock for $4 seconds, twice as long for each more, at most $5. No row: locked.
INSERT INTO login_attempt AS a (account, source, failures, at, until)
VALUES ($1, $2, 1, now(), now())
ON CONFLICT (account, source) DO UPDATE SET
    failures = CASE WHEN a.at < now() - interval '1 day' THEN 1 ELSE a.failures + 1 END,
    at = now(),
    until = CASE
        WHEN a.at < now() - interval '1 day' OR a.failures + 1 < $3::int THEN now()
        ELSE now() + make_interval(
            secs => least($5::float, $4::float * 2 ^ least(a.failures + 1 - $3::int, 30)))
    END
WHERE a.until <= now()
RETURNING failures;

-- name: left
-- Seconds for which the two are locked.
SELECT extract(epoch FROM until - now())::float FROM login_attempt
WHERE account = $1 AND source = $2 AND until > now();

-- name: right
-- It was the right password.
INSERT INTO login_attempt (account, source, failures, at, until, known)
VALUES ($1, $2, 0, now(), now(), now())
ON CONFLICT (account, source) DO UPDATE SET failures = 0, at = now(), until = now(), known = now();

-- name: sweep
-- A source that an account signed in from is known for 90 days.
DELETE FROM login_attempt
WHERE at < now() - interval '1 day' AND until < now()
    AND (known IS NULL OR known < now() - interval '90 days');

-- name: forget
-- All that failed of one account.
UPDATE login_attempt SET failures = 0, until = now() WHERE account = $1;
