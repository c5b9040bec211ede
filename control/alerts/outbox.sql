-- name: share
-- New messages go on the list of each channel there is.
WITH new AS (
    UPDATE alert_message SET shared = true WHERE id IN (
        SELECT id FROM alert_message WHERE NOT shared ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED)
    RETURNING id, severity
)
INSERT INTO alert_delivery (message, channel)
SELECT id, channel FROM new, unnest($1::text[]) AS channel
WHERE severity = ANY ($2::text[]) ON CONFLICT DO NOTHING;

-- name: claim
-- Of one channel, the oldest; nobody else takes them for a while, and if this process is killed
-- somebody does then.
UPDATE alert_delivery d SET attempts = attempts + 1,
    again = clock_timestamp() + make_interval(secs => $2)
FROM (
    SELECT message FROM alert_delivery
    WHERE state = 'waiting' AND channel = $1 AND again <= clock_timestamp()
    ORDER BY message LIMIT $3 FOR UPDATE SKIP LOCKED
) c, alert_message m, alert a
WHERE d.message = c.message AND d.channel = $1 AND m.id = d.message AND a.id = m.alert
RETURNING d.message, d.attempts, m.kind, m.at, m.severity, m.what, m.next, a.id AS alert, a.key,
    a.first_seen, a.count, a.returned;

-- name: sent
UPDATE alert_delivery SET state = 'sent', error = '' WHERE message = $1 AND channel = $2;

-- name: failed
-- Tried again after so many seconds; null: not any more.
UPDATE alert_delivery SET error = $3,
    state = CASE WHEN $4::float8 IS NULL THEN 'dead' ELSE 'waiting' END,
    again = clock_timestamp() + make_interval(secs => coalesce($4, 0)),
    attempts = attempts - $5::integer
WHERE message = $1 AND channel = $2 AND state = 'waiting';

-- name: rest
-- The channel wants a pause: all that wait for it wait so long, and those of $3, which were claimed and not
-- tried, no longer.
UPDATE alert_delivery SET attempts = attempts - (message = ANY ($3::bigint[]))::integer,
    again = CASE WHEN message = ANY ($3::bigint[]) THEN clock_timestamp() + make_interval(secs => $2)
        ELSE greatest(again, clock_timestamp() + make_interval(secs => $2)) END
WHERE channel = $1 AND state = 'waiting';
