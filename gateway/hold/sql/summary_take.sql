-- Counts what is open, if nobody else is counting: a transaction-level lock, one statement.
WITH mine AS (
    SELECT pg_try_advisory_xact_lock(103686592135172) AS locked
), counted AS (
    SELECT tenant, pool, provider, state, reason, waiting, paused, count(*) AS count,
           sum(size)::bigint AS octets, min(arrived) AS oldest,
           min(CASE WHEN waiting THEN greatest(due, until) ELSE until END)
               FILTER (WHERE waiting OR until > 0) AS next
    FROM held
    WHERE state IN ('held', 'claimed', 'doubt') AND (SELECT locked FROM mine)
    GROUP BY tenant, pool, provider, state, reason, waiting, paused
)
INSERT INTO hold_summary (taken, at, data)
SELECT clock_timestamp(), $1, coalesce(jsonb_agg(counted), '[]') FROM counted
WHERE (SELECT locked FROM mine)
ON CONFLICT (one) DO UPDATE SET taken = excluded.taken, at = excluded.at, data = excluded.data
RETURNING at, data
