-- name: list
-- Newest first. NULL for a filter not given: $1 subject (whole, or up to a slash), $2 who, $3
-- action (whole, or up to a dot), $4 since, $5 the id of the last one seen, $6 most of them, $7 kind,
-- $8 source, $9 until, $10 a text that stands in it.
SELECT id, at, who, kind, source, action, subject, before, after, reason FROM audit_log
WHERE ($1::text IS NULL OR subject = $1 OR starts_with(subject, $1 || '/'))
    AND ($2::text IS NULL OR who = $2)
    AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.'))
    AND ($4::timestamptz IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR id < $5)
    AND ($7::text IS NULL OR kind = $7)
    AND ($8::text IS NULL OR source = $8)
    AND ($9::timestamptz IS NULL OR at < $9)
    AND ($10::text IS NULL
        OR strpos(lower(concat_ws(' ', subject, reason, before, after)), lower($10)) > 0)
ORDER BY id DESC LIMIT $6;

-- name: say
-- Which rows this transaction may take away: the table refuses all others.
SELECT set_config('sendgate.audit_before', $1, true);

-- name: forget
DELETE FROM audit_log WHERE at < least($1::timestamptz, now() - interval '30 days');
