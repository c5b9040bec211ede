-- name: open
INSERT INTO session (id, person, source, started, ends)
VALUES ($1, $2, $3, now(), now() + make_interval(secs => $4));

-- name: issue
INSERT INTO refresh_token (digest, session, expires)
VALUES ($1, $2, least(now() + make_interval(secs => $3), (SELECT ends FROM session WHERE id = $2)));

-- name: refresh
-- Both rows are locked: of two that use one at a time, the second sees that it was used.
SELECT r.used IS NOT NULL AS used, r.expires > now() AND s.ends > now() AS good, s.ended,
    s.id AS session, p.id AS person, p.name, p.disabled
FROM refresh_token r JOIN session s ON s.id = r.session JOIN person p ON p.id = s.person
WHERE r.digest = $1 FOR UPDATE OF r, s;

-- name: use
UPDATE refresh_token SET used = now() WHERE digest = $1;

-- name: end
UPDATE session SET ended = $2 WHERE id = $1 AND ended = '' RETURNING person;

-- name: holder
SELECT p.name, p.role, p.everywhere,
    ARRAY(SELECT tenant FROM person_tenant t WHERE t.person = p.id ORDER BY tenant) AS tenants
FROM session s JOIN person p ON p.id = s.person
WHERE s.id = $1 AND p.id = $2 AND s.ended = '' AND s.ends > now() AND NOT p.disabled;

-- name: sign_in
-- What is compared at a login, whoever's it is.
SELECT id, name, password, disabled, totp_on FROM person WHERE name = $1;

-- name: still
-- Whether it is as it was compared; it stays so until the session has begun.
SELECT id FROM person WHERE id = $1 AND password = $2 AND NOT disabled FOR UPDATE;

-- name: signed_in
UPDATE person SET used = now() WHERE id = $1;

-- name: sweep
-- With their refresh tokens.
DELETE FROM session WHERE ends < now() - interval '7 days';
