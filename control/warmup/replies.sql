-- name: add
INSERT INTO warmup_reply AS w (day, tenant, ip, provider, rule, scope, kind, action, count, last_at,
    domain, fresh)
SELECT *, n.action = 'pause' FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[],
    $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[])
    AS n (day, tenant, ip, provider, rule, scope, kind, action, count, last_at, domain)
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, tenant, ip, provider, rule) DO UPDATE SET count = w.count + excluded.count,
    last_at = greatest(w.last_at, excluded.last_at),
    domain = CASE WHEN excluded.last_at < w.last_at THEN w.domain ELSE excluded.domain END,
    fresh = excluded.fresh;

-- name: sweep
DELETE FROM warmup_reply WHERE day < $1;
