-- name: open
INSERT INTO session (id, person, source, started, ends, cookie, seen)
VALUES ($1, $2, $3, now(), now() + make_interval(secs => $4), $5, now());

-- name: holder
-- Whose cookie it is, used within $2 seconds; `due`: that it is used is to be written down.
SELECT s.id, s.seen < now() - interval '30 seconds' AS due, p.id AS person, p.name, p.role,
    p.everywhere,
    ARRAY(SELECT tenant FROM person_tenant t WHERE t.person = p.id ORDER BY tenant) AS tenants
FROM session s JOIN person p ON p.id = s.person
WHERE s.cookie = $1 AND s.ended = '' AND s.ends > now()
    AND s.seen > now() - make_interval(secs => $2) AND NOT p.disabled;

-- name: seen
UPDATE session SET seen = now() WHERE id = $1;

-- name: own
-- Of one person, the latest first; those of tokens have no `seen`.
SELECT id, source, started, ends, seen FROM session
WHERE person = $1 AND ended = '' AND ends > now()
    AND (seen IS NULL OR seen > now() - make_interval(secs => $2))
ORDER BY started DESC, id LIMIT 100;

-- name: end
UPDATE session SET ended = $3 WHERE id = $1 AND person = $2 AND ended = '' RETURNING id;

-- name: end_all
-- Of one person; how many.
WITH over AS (
    UPDATE session SET ended = 'everywhere' WHERE person = $1 AND ended = '' RETURNING id
)
SELECT count(*) FROM over;
