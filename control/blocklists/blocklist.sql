-- name: ips
SELECT DISTINCT host(ip) AS subject FROM virtual_mta ORDER BY 1;

-- name: domains
SELECT DISTINCT domain AS subject FROM sending_domain ORDER BY 1;

-- name: kind
-- Of one that is ours; none of another.
SELECT 'ip' FROM virtual_mta WHERE host(ip) = $1
UNION ALL SELECT 'domain' FROM sending_domain WHERE domain = $1 LIMIT 1;

-- name: keep
-- What a look was answered with. An answer that is not one leaves what was known before.
INSERT INTO blocklist_answer AS b
    (subject, zone, kind, state, asked, trouble, known, since, answered, codes, meaning, said)
SELECT n.subject, n.zone, n.kind, n.state, $1, n.trouble,
    CASE WHEN n.state <> 'unknown' THEN n.state END,
    CASE WHEN n.state <> 'unknown' THEN $1::bigint END,
    CASE WHEN n.state <> 'unknown' THEN $1::bigint END,
    string_to_array(n.codes, ' '), n.meaning, n.said
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[]) AS n (subject, zone, kind, state, trouble, codes, meaning, said)
-- In one order, so that two that keep the same wait for each other and never in a circle.
ORDER BY n.subject, n.zone
ON CONFLICT (subject, zone) DO UPDATE SET kind = excluded.kind, state = excluded.state,
    asked = excluded.asked, trouble = excluded.trouble,
    known = coalesce(excluded.known, b.known),
    since = CASE WHEN excluded.known IS DISTINCT FROM b.known
        THEN coalesce(excluded.since, b.since) ELSE b.since END,
    answered = coalesce(excluded.answered, b.answered),
    codes = CASE WHEN excluded.known IS NULL AND excluded.codes = '{}' THEN b.codes
        ELSE excluded.codes END,
    paused = CASE WHEN excluded.known IS NULL OR excluded.known = b.known THEN b.paused END,
    meaning = CASE WHEN excluded.known IS NULL THEN b.meaning ELSE excluded.meaning END,
    said = CASE WHEN excluded.known IS NULL THEN b.said ELSE excluded.said END
WHERE excluded.asked >= b.asked;

-- name: forget
-- What is asked no more: IPs and domains that are gone, lists that are not in the configuration.
DELETE FROM blocklist_answer AS b
WHERE NOT EXISTS (
    SELECT FROM unnest($1::text[], $2::text[]) AS n (kind, zone)
    WHERE n.kind = b.kind AND n.zone = b.zone
) OR NOT (subject = ANY ($3::text[]));

-- name: listed
-- Who is, as far as anybody knows.
SELECT subject, kind, zone, codes, meaning, paused FROM blocklist_answer
WHERE known = 'listed' ORDER BY subject, zone;

-- name: standing
-- Of these, which are paused.
SELECT host(ip) AS subject FROM virtual_mta WHERE host(ip) = ANY ($1::text[]) AND state = 'paused';

-- name: paused
UPDATE blocklist_answer SET paused = $3
WHERE subject = $1 AND zone = ANY ($2::text[]) AND known = 'listed' AND paused IS NULL;

-- name: page
SELECT subject, zone, kind, state, asked, trouble, known, since, answered, codes, meaning, said
FROM blocklist_answer
WHERE ($1::text IS NULL OR zone = $1) AND ($2::text IS NULL OR subject = $2)
    AND ($3::text IS NULL OR state = $3)
    AND ($4::text IS NULL OR (subject, zone) > ($4, $5))
ORDER BY subject, zone LIMIT $6;
