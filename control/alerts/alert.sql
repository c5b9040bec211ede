-- name: raise
-- Of each: it begins, or is seen once more. One that gets worse is told again, whoever knew of it.
INSERT INTO alert AS a (key, source, severity, what, next, first_seen, last_seen, tell_at)
SELECT n.key, $1, n.severity, n.what, n.next, $2, $2, $2
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS n (key, severity, what, next)
ORDER BY n.key
ON CONFLICT (key) WHERE recovered IS NULL DO UPDATE SET last_seen = excluded.last_seen,
    count = a.count + 1, severity = excluded.severity, what = excluded.what, next = excluded.next,
    tell_at = CASE WHEN (a.severity, excluded.severity) IN (('info', 'warning'),
        ('info', 'critical'), ('warning', 'critical')) THEN excluded.last_seen ELSE a.tell_at END,
    acknowledged = CASE WHEN (a.severity, excluded.severity) IN (('info', 'warning'),
        ('info', 'critical'), ('warning', 'critical')) THEN NULL ELSE a.acknowledged END;

-- name: event
-- That happened once and is over at once: under one key it is told of once for ever.
WITH new AS (
    INSERT INTO alert (key, source, severity, what, next, first_seen, last_seen, recovered, told, tell_at)
    SELECT $1, $2, $3, $4, $5, $6, $6, $6, 1, $6
    WHERE NOT EXISTS (SELECT FROM alert WHERE key = $1) RETURNING id
)
INSERT INTO alert_message (alert, kind, at, severity, what, next)
SELECT id, 'begin', $6, $3, $4, $5 FROM new
WHERE NOT EXISTS (SELECT FROM alert_mute m WHERE m.key = $1 AND m.until > $6) RETURNING id;

-- name: end
-- Of a source, those that are none any more: $3, null for all of it that is not among $4.
WITH over AS (
    UPDATE alert SET recovered = $2
    WHERE recovered IS NULL AND source = $1 AND (key = $3 OR ($3::text IS NULL AND NOT key = ANY ($4::text[])))
    RETURNING id, key, severity, what, next, told
)
INSERT INTO alert_message (alert, kind, at, severity, what, next)
SELECT id, 'end', $2, severity, what, next FROM over o
WHERE told > 0 AND NOT EXISTS (SELECT FROM alert_mute m WHERE m.key = o.key AND m.until > $2);

-- name: tell
-- One message for each that is due: the first, and further ones after waits that grow ($2, milliseconds;
-- the last one repeats).
WITH due AS (
    UPDATE alert a SET told = told + 1,
        tell_at = $1 + ($2::bigint[])[least(told + 1, cardinality($2::bigint[]))]
    WHERE recovered IS NULL AND acknowledged IS NULL AND tell_at <= $1
        AND NOT EXISTS (SELECT FROM alert_mute m WHERE m.key = a.key AND m.until > $1)
    RETURNING id, severity, what, next, told
)
INSERT INTO alert_message (alert, kind, at, severity, what, next)
SELECT id, CASE WHEN told = 1 THEN 'begin' ELSE 'again' END, $1, severity, what, next FROM due
ORDER BY id;

-- name: lock
SELECT pg_try_advisory_xact_lock($1);

-- name: list
SELECT a.id, a.key, a.severity, a.what, a.next, a.first_seen, a.last_seen, a.count, a.recovered,
    a.acknowledged, a.acknowledged_by, a.told,
    (SELECT until FROM alert_mute m WHERE m.key = a.key AND m.until > $1) AS muted,
    (SELECT count(*) FROM alert_message m JOIN alert_delivery d ON d.message = m.id
        WHERE m.alert = a.id AND d.state = 'waiting') AS waiting,
    coalesce((SELECT d.channel || ': ' || d.error FROM alert_message m JOIN alert_delivery d
        ON d.message = m.id WHERE m.alert = a.id AND d.state <> 'sent' AND d.error <> ''
        ORDER BY m.id DESC LIMIT 1), '') AS trouble
FROM alert a
WHERE ($2::boolean OR recovered IS NULL) AND ($3::bigint IS NULL OR a.id < $3)
    AND ($5::bigint IS NULL OR a.id = $5)
ORDER BY a.id DESC LIMIT $4;

-- name: acknowledge
UPDATE alert SET acknowledged = $2, acknowledged_by = $3
WHERE id = $1 AND recovered IS NULL AND acknowledged IS NULL RETURNING key;

-- name: mute
INSERT INTO alert_mute AS m (key, until, who, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET until = excluded.until, who = excluded.who, reason = excluded.reason;

-- name: mutes
SELECT key, until, who, reason FROM alert_mute WHERE until > $1 ORDER BY key;

-- name: sweep
WITH over AS (DELETE FROM alert WHERE recovered < $1)
DELETE FROM alert_mute WHERE until < $1;
