-- Lines of the audit log by their time: which were written with a plan.

CREATE INDEX audit_log_at ON audit_log (at, who);
