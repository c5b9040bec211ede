-- name: dkim
-- Behind $1, at most $2. One key stands in several places, as the same octets everywhere: so it is
-- seen whether PowerMTA has it.
SELECT sealed, min(what) AS what FROM (
    SELECT dkim_private AS sealed, 'DKIM key of ' || domain AS what FROM sending_domain
    UNION ALL SELECT private, 'DKIM key of ' || domain FROM dkim_rotation
    UNION ALL SELECT sealed, 'key file ' || name || ' of PowerMTA' FROM pmta_key
) AS every WHERE sealed > $1 GROUP BY sealed ORDER BY sealed LIMIT $2;

-- name: codes
SELECT totp AS sealed, 'codes of user ' || name AS what FROM person
WHERE totp > $1 ORDER BY totp LIMIT $2;

-- name: tokens
SELECT sealed, 'key of access tokens ' || kid AS what FROM signing_key
WHERE sealed > $1 ORDER BY sealed LIMIT $2;

-- name: answers
SELECT answer AS sealed, 'answer to a request of ' || holder AS what FROM request_once
WHERE answer > $1 AND answer <> '' ORDER BY answer LIMIT $2;

-- name: naming
SELECT sealed, 'key of digests of addresses' AS what FROM naming_key
WHERE sealed > $1 ORDER BY sealed LIMIT $2;

-- name: dkim_domains
UPDATE sending_domain d SET dkim_private = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE d.dkim_private = n.sealed;

-- name: dkim_rotations
UPDATE dkim_rotation d SET private = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE d.private = n.sealed;

-- name: dkim_files
UPDATE pmta_key k SET sealed = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE k.sealed = n.sealed;

-- name: again_codes
UPDATE person p SET totp = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE p.totp = n.sealed;

-- name: again_tokens
UPDATE signing_key k SET sealed = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE k.sealed = n.sealed;

-- name: again_answers
UPDATE request_once o SET answer = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE o.answer = n.sealed;

-- name: again_naming
UPDATE naming_key k SET sealed = n.fresh
FROM unnest($1::bytea[], $2::bytea[]) AS n (sealed, fresh) WHERE k.sealed = n.sealed;
