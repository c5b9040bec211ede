-- name: add
INSERT INTO person (name, role, everywhere, mail, created) VALUES ($1, $2, $3, $4, $5)
RETURNING id;

-- name: bind
INSERT INTO person_tenant (person, tenant) SELECT $1, unnest($2::text[]);

-- name: unbind
DELETE FROM person_tenant WHERE person = $1;

-- name: shown
-- As a person is shown; what follows says which.
SELECT p.id, p.name, p.role, p.everywhere, p.mail, p.disabled, p.created, p.used, p.totp_on,
    p.password IS NOT NULL AS signs_in,
    ARRAY(SELECT tenant FROM person_tenant t WHERE t.person = p.id ORDER BY tenant) AS tenants,
    (SELECT count(*) FROM session s
        WHERE s.person = p.id AND s.ended = '' AND s.ends > now()) AS sessions,
    (SELECT l.expires FROM person_link l WHERE l.person = p.id AND l.expires > now()) AS link
FROM person p;

-- name: one
{shown} WHERE p.name = $1;

-- name: page
-- $1: those of these tenants alone, NULL for all; $2 role, $3 tenant, $4 state, $5 how the name
-- begins, or NULL.
{shown}
WHERE ($1::text[] IS NULL OR NOT p.everywhere
        AND EXISTS (SELECT FROM person_tenant t WHERE t.person = p.id)
        AND NOT EXISTS (SELECT FROM person_tenant t WHERE t.person = p.id AND t.tenant <> ALL ($1)))
    AND ($2::text IS NULL OR p.role = $2)
    AND ($3::text IS NULL
        OR EXISTS (SELECT FROM person_tenant t WHERE t.person = p.id AND t.tenant = $3))
    AND ($4::text IS NULL OR $4 = CASE WHEN p.disabled THEN 'disabled'
        WHEN p.password IS NULL THEN 'invited' ELSE 'active' END)
    AND ($5::text IS NULL OR starts_with(p.name, $5))
    AND {after}
ORDER BY {order} LIMIT {limit};

-- name: lock
SELECT id FROM person WHERE name = $1 FOR UPDATE;

-- name: alone
-- Two who take away one admin each would leave none.
LOCK TABLE person IN SHARE ROW EXCLUSIVE MODE;

-- name: admins
-- Those who can change everything, but for $1.
SELECT count(*) FROM person
WHERE role = 'admin' AND everywhere AND NOT disabled AND id <> $1;

-- name: set
UPDATE person SET role = $2, everywhere = $3, mail = $4 WHERE id = $1;

-- name: disable
UPDATE person SET disabled = $2 WHERE id = $1;

-- name: remove
DELETE FROM person WHERE id = $1;

-- name: forget_codes
UPDATE person SET totp = NULL, totp_on = false WHERE id = $1;

-- name: forget_recovery
DELETE FROM recovery_code WHERE person = $1;

-- name: forget_password
UPDATE person SET password = NULL WHERE id = $1;

-- name: password
UPDATE person SET password = $2 WHERE id = $1;

-- name: link
INSERT INTO person_link (person, digest, expires)
VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (person) DO UPDATE SET digest = excluded.digest, expires = excluded.expires;

-- name: drop_link
DELETE FROM person_link WHERE person = $1;

-- name: taken
-- Whose link it is; it is gone with that.
DELETE FROM person_link l USING person p
WHERE l.digest = $1 AND p.id = l.person AND l.expires > now() AND NOT p.disabled
RETURNING p.id, p.name;

-- name: own
-- Who asks, while session $2 of it goes on; nobody takes that away until it is done.
SELECT p.password FROM person p JOIN session s ON s.person = p.id
WHERE p.id = $1 AND NOT p.disabled AND s.id = $2 AND s.ended = '' AND s.ends > now()
FOR UPDATE OF p, s;

-- name: linked
SELECT p.name FROM person_link l JOIN person p ON p.id = l.person
WHERE l.digest = $1 AND l.expires > now() AND NOT p.disabled;

-- name: end_sessions
UPDATE session SET ended = $2 WHERE person = $1 AND ended = '' AND id IS DISTINCT FROM $3::uuid;

-- name: end_browsing
-- What a page showed and offered was another's: it signs in anew.
UPDATE session SET ended = 'role' WHERE person = $1 AND ended = '' AND cookie IS NOT NULL;
