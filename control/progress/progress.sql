-- name: bounced
SELECT tenant, sum(bounced)::bigint AS recipients FROM statistics_ip WHERE day = $1 GROUP BY tenant;

-- name: refused
SELECT tenant, sum(recipients)::bigint AS recipients FROM mailbox_refused
WHERE day = $1 GROUP BY tenant;

-- name: details
-- Of mailboxes, in the order they are named. $1: today; $2 tenants, $3 mailboxes. Each is looked up by
-- itself: joined, the whole table of 100,000 was read for a page of 1,000 (70 ms instead of 5).
SELECT (SELECT id FROM mailbox m WHERE m.tenant = n.tenant AND m.address = n.mailbox) AS id,
    coalesce((SELECT bounced FROM statistics_mailbox s
        WHERE s.day = $1 AND s.tenant = n.tenant AND s.mailbox = n.mailbox), 0) AS bounced,
    coalesce((SELECT recipients FROM mailbox_refused r
        WHERE r.day = $1 AND r.tenant = n.tenant AND r.mailbox = n.mailbox), 0) AS refused,
    coalesce((SELECT ARRAY[k.day, k.days] FROM mailbox_streak k
        WHERE k.tenant = n.tenant AND k.mailbox = n.mailbox), ARRAY[0, 0]) AS streak
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n (tenant, mailbox, place)
ORDER BY n.place;

-- name: numbered
-- Whose a mailbox's number is; null for $2: anybody's.
SELECT tenant, address FROM mailbox WHERE id = $1 AND ($2::text IS NULL OR tenant = $2);

-- name: relayed
-- $1: a day, $2: a tenant.
SELECT mailbox, relayed FROM statistics_mailbox WHERE day = $1 AND tenant = $2 AND relayed > 0;

-- name: streak
-- Counts a day once, whoever does: $1 the day, $2 a tenant, $3 mailboxes, $4 whether each reached its
-- quota. One that never did has no row.
INSERT INTO mailbox_streak AS k (tenant, mailbox, day, days)
SELECT $2, mailbox, $1, reached::integer
FROM unnest($3::text[], $4::boolean[]) AS n (mailbox, reached)
WHERE reached OR EXISTS (SELECT FROM mailbox_streak o WHERE o.tenant = $2 AND o.mailbox = n.mailbox)
ORDER BY mailbox
ON CONFLICT (tenant, mailbox) DO UPDATE SET day = excluded.day,
    days = CASE WHEN excluded.days > 0 AND k.day = excluded.day - 1 THEN k.days + 1
        ELSE excluded.days END
WHERE k.day < excluded.day;

-- name: began
-- $1 a tenant, $2 mailboxes, $3 the first day of each since it was idle, $4 the day it sent on last.
INSERT INTO mailbox_began AS b (tenant, mailbox, first, day)
SELECT $1, n.* FROM unnest($2::text[], $3::integer[], $4::integer[]) AS n (mailbox, first, day)
WHERE EXISTS (SELECT FROM tenant WHERE name = $1)
ORDER BY n.mailbox
ON CONFLICT (tenant, mailbox) DO UPDATE SET first = excluded.first, day = excluded.day
WHERE (b.first, b.day) IS DISTINCT FROM (excluded.first, excluded.day);

-- name: forget_began
-- Of those that would begin anew, and of whose minimum nobody counts days any more.
WITH streaks AS (
    DELETE FROM mailbox_streak WHERE day < $1
)
DELETE FROM mailbox_began WHERE day < $1;
