-- What was told, or asked for, before $1 (milliseconds) and is over: a report that still waits keeps its
-- event, a request that is not finished stays. $2: most of each.
WITH events AS (
    DELETE FROM hold_event WHERE id IN (
        SELECT id FROM hold_event
        WHERE at < $1 AND dsn NOT IN ('wanted', 'sending') ORDER BY id LIMIT $2)
    RETURNING 1
), requests AS (
    DELETE FROM hold_request WHERE id IN (
        SELECT id FROM hold_request
        WHERE state IN ('done', 'failed') AND finished < to_timestamp($1 / 1000.0)
        ORDER BY id LIMIT $2)
    RETURNING 1
)
SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM requests) AS requests
