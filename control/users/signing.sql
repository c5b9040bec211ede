-- name: signs
-- The key that signs, and whether it is older than $1 seconds.
SELECT kid, sealed, made < now() - make_interval(secs => $1) AS old
FROM signing_key WHERE until IS NULL;

-- name: one
SELECT sealed FROM signing_key WHERE kid = $1 AND (until IS NULL OR until > now());

-- name: lock
SELECT pg_advisory_xact_lock($1);

-- name: retire
-- None is good for more than $1 seconds from now.
UPDATE signing_key
SET until = least(coalesce(until, 'infinity'), now() + make_interval(secs => $1));

-- name: drop
DELETE FROM signing_key WHERE until <= now();

-- name: add
INSERT INTO signing_key (kid, sealed, made) VALUES ($1, $2, now());
