-- name: as_of
-- Replacements of DKIM keys go on beside the plan, and a domain shows them: hardly ever more than a
-- few. Null while a row of the plan was written that no plan has.
SELECT g.number || ' ' || g.digest || coalesce(' ' || (SELECT md5(string_agg(
        concat_ws(' ', r.tenant, r.domain, r.selector, r.public, r.began, coalesce(r.seen, -1),
            coalesce(r.switched, -1), r.said), ',' ORDER BY r.tenant, r.domain))
    FROM dkim_rotation r), '')
FROM generation g
WHERE NOT EXISTS (SELECT FROM plan_touched) ORDER BY g.number DESC LIMIT 1;
