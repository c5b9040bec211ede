-- name: list
-- Newest first. NULL for a filter not given: $1 subject (whole, or up to a slash), $2 who, $3
-- action (whole, or up to a dot), $4 since, $5 the id of the last one seen, $6 most of them.
SELECT id, at, who, action, subject, before, after, reason FROM audit_log
WHERE ($1::text IS NULL OR subject = $1 OR starts_with(subject, $1 || '/'))
    AND ($2::text IS NULL OR who = $2)
    AND ($3::text IS NULL OR action = $3 OR starts_with(action, $3 || '.'))
    AND ($4::timestamptz IS NULL OR at >= $4)
    AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6;
