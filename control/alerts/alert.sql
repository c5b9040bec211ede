-- name: raise
-- Of each: it begins, is seen once more, or has come back before it was over. One that gets worse than it
-- was within $7 milliseconds is told again, whoever knew of it.
INSERT INTO alert AS a (key, source, severity, what, next, first_seen, last_seen, tell_at, worst, worst_seen)
SELECT n.key, $1, n.severity, n.what, n.next, $2, $2, $2,
    array_position(ARRAY['info', 'warning', 'critical'], n.severity), $2
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS n (key, severity, what, next)
ORDER BY n.key
ON CONFLICT (key) WHERE recovered IS NULL DO UPDATE SET last_seen = excluded.last_seen,
    count = a.count + 1, returned = a.returned + (a.absent IS NOT NULL)::integer, absent = NULL,
    severity = excluded.severity, what = excluded.what, next = excluded.next,
    tell_at = CASE WHEN excluded.worst > a.worst THEN excluded.last_seen ELSE a.tell_at END,
    acknowledged = CASE WHEN excluded.worst > a.worst THEN NULL ELSE a.acknowledged END,
    worst = CASE WHEN excluded.worst >= a.worst OR a.worst_seen <= excluded.last_seen - $7::bigint
        THEN excluded.worst ELSE a.worst END,
    worst_seen = CASE WHEN excluded.worst >= a.worst OR a.worst_seen <= excluded.last_seen - $7::bigint
        THEN excluded.last_seen ELSE a.worst_seen END;

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

-- name: gone
-- Of a source, those that are not among $3 any more.
UPDATE alert SET absent = $2
WHERE recovered IS NULL AND absent IS NULL AND source = $1 AND NOT key = ANY ($3::text[]);

-- name: over
-- Of a source, those that stayed away for $3 milliseconds: they ended when they were found gone.
WITH over AS (
    UPDATE alert SET recovered = absent
    WHERE recovered IS NULL AND source = $1 AND absent <= $2::bigint - $3::bigint
    RETURNING id, key, severity, what, next, told, recovered
)
INSERT INTO alert_message (alert, kind, at, severity, what, next)
SELECT id, 'end', recovered, severity, what, next FROM over o
WHERE told > 0 AND NOT EXISTS (SELECT FROM alert_mute m WHERE m.key = o.key AND m.until > $2);

-- name: tell
-- One message for each that is due: the first, and further ones after waits that grow ($2, milliseconds;
-- the last one repeats).
WITH due AS (
    UPDATE alert a SET told = told + 1,
        tell_at = $1 + ($2::bigint[])[least(told + 1, cardinality($2::bigint[]))]
    WHERE recovered IS NULL AND absent IS NULL AND acknowledged IS NULL AND tell_at <= $1
        AND NOT EXISTS (SELECT FROM alert_mute m WHERE m.key = a.key AND m.until > $1)
    RETURNING id, severity, what, next, told
)
INSERT INTO alert_message (alert, kind, at, severity, what, next)
SELECT id, CASE WHEN told = 1 THEN 'begin' ELSE 'again' END, $1, severity, what, next FROM due
ORDER BY id;

-- name: lock
SELECT pg_try_advisory_xact_lock($1);

-- name: list
SELECT a.id, a.key, a.severity, a.what, a.next, a.first_seen, a.last_seen, a.count, a.absent, a.returned, a.recovered,
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

-- name: was_raised
SELECT EXISTS (SELECT FROM alert WHERE key = $1);
