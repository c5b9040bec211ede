-- name: used
-- At most once in $3 seconds: it is written for each request otherwise.
INSERT INTO secret_used AS u (secret, fingerprint, used) VALUES ($1, $2, now())
ON CONFLICT (secret, fingerprint) DO UPDATE SET used = excluded.used
WHERE u.used < now() - make_interval(secs => $3);

-- name: all
SELECT fingerprint, used FROM secret_used WHERE secret = $1;

-- name: held
SELECT split_part(codec, ':', 2) AS key, count(*) AS messages
FROM held_body WHERE codec LIKE '%:%' GROUP BY 1;
