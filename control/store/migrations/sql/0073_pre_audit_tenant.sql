-- Whose a row is; NULL: nobody's alone, and all rows from before: what they were of may be another's by
-- now.
ALTER TABLE audit_log ADD COLUMN tenant text;
CREATE INDEX audit_log_tenant ON audit_log (tenant, id) WHERE tenant IS NOT NULL;
