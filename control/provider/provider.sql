-- name: see
-- In one order, so that two that see the same domains wait for each other and never in a circle.
INSERT INTO provider_domain AS p (domain, seen, next, hint, hint_host, hints)
SELECT n.domain, $1, $1, n.hint, n.host, n.hints
FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[]) AS n (domain, hint, host, hints)
ORDER BY n.domain
ON CONFLICT (domain) DO UPDATE SET seen = greatest(p.seen, excluded.seen),
    hint = CASE excluded.hint WHEN '' THEN p.hint ELSE excluded.hint END,
    hint_host = CASE excluded.hint WHEN '' THEN p.hint_host ELSE excluded.hint_host END,
    hints = CASE excluded.hint WHEN '' THEN p.hints
        WHEN p.hint THEN least(p.hints + excluded.hints, 1000) ELSE excluded.hints END;

-- name: believe
-- Where DNS has not answered, records in a row; one odd record changes nothing.
UPDATE provider_domain SET provider = hint, why = 'dsnMta', host = hint_host, since = $1
WHERE why <> 'mx' AND hints >= $2 AND hint <> '' AND hint <> provider;

-- name: doubt
-- Where it has and records say otherwise, it is asked again, once an hour at most.
UPDATE provider_domain SET next = $1
WHERE why = 'mx' AND hints >= $2 AND hint <> '' AND hint <> provider AND next > $1
    AND checked < $1 - 3600000;

-- name: due
-- Taken for a minute: another control node asks for others, and one that was killed loses nothing.
UPDATE provider_domain SET next = $1 + 60000
WHERE domain = ANY (ARRAY(SELECT domain FROM provider_domain WHERE next <= $1 ORDER BY next LIMIT $2
    FOR UPDATE SKIP LOCKED))
RETURNING domain;

-- name: answered
UPDATE provider_domain SET why = 'mx', host = $3, checked = $4, next = $5, trouble = '',
    since = CASE WHEN provider = $2 THEN since ELSE $4 END, provider = $2
WHERE domain = $1;

-- name: unanswered
UPDATE provider_domain SET checked = $2, next = $3, trouble = $4 WHERE domain = $1;

-- name: version
-- Which domains are told, and as whose.
SELECT count(*) || '-' || coalesce(sum(hashtextextended(domain || ' ' || provider, 0)), 0) AS version
FROM provider_domain WHERE provider NOT IN ('', 'other');

-- name: table
SELECT domain, provider FROM provider_domain WHERE provider NOT IN ('', 'other');

-- name: get
SELECT domain, provider, why, host, since, seen, checked, trouble, next, hint, hints
FROM provider_domain WHERE domain = $1;

-- name: list
SELECT domain, provider, why, host, since, seen, checked, trouble, next, hint, hints
FROM provider_domain
WHERE domain > $1 AND ($2::text IS NULL OR provider = $2) ORDER BY domain LIMIT $3;

-- name: trim
DELETE FROM provider_domain WHERE domain = ANY (ARRAY(
    SELECT domain FROM provider_domain ORDER BY seen DESC, domain OFFSET $1));
