-- name: add
INSERT INTO audit_log (at, who, action, subject, before, after, reason, kind, source, tenant)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
