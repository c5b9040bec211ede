-- name: list
-- Newest first. NULL for a filter not given: $1 subject (whole, or up to a slash), $2 who, $3
-- action (whole, or up to a dot), $4 since, $5 the id of the last one seen, $6 most of them, $7 kind,
-- $8 source, $9 until, $10 a text that stands in it, $11 tenant. $12: the tenant asks itself. What was
-- written before it came is of a former one of its name, and the address of who runs us is not for it.
SELECT id, at, who, kind, CASE WHEN $12 THEN '' ELSE source END AS source, action, subject,
    tenant, before, after, reason FROM audit_log
WHERE ($1::text IS NULL OR subject = $1 OR starts_with(subject, $1 || '/'))
    AND ($2::text IS NULL OR who = $2)
    AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.'))
    AND ($4::timestamptz IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR id < $5)
    AND ($7::text IS NULL OR kind = $7)
    AND ($8::text IS NULL OR source = $8)
    AND ($9::timestamptz IS NULL OR at < $9)
    AND ($11::text IS NULL OR tenant = $11)
    AND (NOT $12::boolean OR at >= (SELECT t.created FROM tenant t WHERE t.name = $11))
    -- A backslash before what LIKE has a meaning for. By `audit_log_text`, where that is there.
    AND ($10::text IS NULL OR audit_text(subject, reason, before, after)
        LIKE '%' || regexp_replace(lower($10), '([\\%_])', '\\\1', 'g') || '%')
ORDER BY id DESC LIMIT $6;

-- name: found_fast
-- Whether a text is found by an index.
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('audit_log_text') AND indisvalid);

-- name: kept
-- Whether the table takes rows and gives none back ($1: names of its triggers), and whose what that
-- hangs on is: the table's owner, the function's, or the database's, may take it away.
WITH what AS (
    SELECT 'table audit_log' AS what, relowner AS owner FROM pg_class
        WHERE oid = 'audit_log'::regclass
    UNION ALL SELECT 'function audit_log_stays()', proowner FROM pg_proc
        WHERE oid = 'audit_log_stays()'::regprocedure
    UNION ALL SELECT 'schema ' || nspname, nspowner FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'audit_log'::regclass
)
SELECT session_user::text AS role,
    (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AS super,
    ARRAY(SELECT what FROM what WHERE pg_has_role(session_user, owner, 'MEMBER')) AS owns,
    ARRAY(SELECT name FROM unnest($1::text[]) name WHERE NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = 'audit_log'::regclass AND tgname = name
            AND tgenabled IN ('O', 'A'))) AS gone;

-- name: say
-- Which rows this transaction may take away: the table refuses all others.
SELECT set_config('sendgate.audit_before', $1, true);

-- name: forget
DELETE FROM audit_log WHERE at < least($1::timestamptz, now() - interval '30 days');
