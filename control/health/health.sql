-- name: put
-- As it is now; `since` changes with it.
INSERT INTO health_check AS h (service, name, healthy, detail, at, since)
SELECT n.service, n.name, n.healthy, n.detail, $1, $1
FROM unnest($2::text[], $3::text[], $4::boolean[], $5::text[]) AS n (service, name, healthy, detail)
ORDER BY 1, 2
ON CONFLICT (service, name) DO UPDATE SET healthy = excluded.healthy, detail = excluded.detail,
    at = excluded.at, since = CASE WHEN h.healthy = excluded.healthy THEN h.since ELSE excluded.at END;

-- name: gone
DELETE FROM health_check WHERE at < $1;

-- name: list
SELECT service, name, healthy, detail, at, since FROM health_check ORDER BY service, name;
