-- name: domains
SELECT tenant, domain FROM sending_domain ORDER BY tenant, domain;

-- name: keep
-- What nobody answered says nothing about what was right before.
INSERT INTO domain_check AS d (tenant, domain, verdict, what, checked, valid)
VALUES ($1, $2, $3, $4, $5, CASE $3 WHEN 'unknown' THEN NULL ELSE $3 <> 'error' END)
ON CONFLICT (tenant, domain) DO UPDATE SET verdict = excluded.verdict,
    what = CASE WHEN excluded.valid IS NULL AND d.valid IS NOT NULL THEN d.what ELSE excluded.what END,
    checked = excluded.checked, valid = coalesce(excluded.valid, d.valid)
WHERE excluded.checked >= d.checked;

-- name: forget
DELETE FROM domain_check AS d WHERE NOT EXISTS (
    SELECT FROM sending_domain AS s WHERE s.tenant = d.tenant AND s.domain = d.domain);

-- name: wrong
SELECT tenant, domain, what FROM domain_check WHERE valid = false ORDER BY domain, tenant;
