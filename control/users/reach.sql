-- name: token
-- What token $1 is bound to at this moment.
SELECT role, tenant IS NULL AS everywhere, networks, expires,
    ARRAY(SELECT t.tenant WHERE t.tenant IS NOT NULL
        UNION SELECT o.tenant FROM api_token_tenant o WHERE o.token = t.name ORDER BY 1) AS tenants
FROM api_token t WHERE name = $1;

-- name: person
-- The same of person $1, while session $2 of it goes on.
SELECT role, everywhere, '{}'::text[] AS networks, NULL::timestamptz AS expires,
    ARRAY(SELECT tenant FROM person_tenant t WHERE t.person = p.id ORDER BY tenant) AS tenants
FROM person p WHERE id = $1 AND NOT disabled
    AND EXISTS (SELECT FROM session s WHERE s.id = $2::uuid AND s.person = p.id AND s.ended = '');
