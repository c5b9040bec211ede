-- What kind of asker it was, and from where; '' for rows from before.
ALTER TABLE audit_log
    ADD COLUMN kind text NOT NULL DEFAULT '',
    ADD COLUMN source text NOT NULL DEFAULT '';
CREATE INDEX audit_log_who ON audit_log (who, id);
CREATE INDEX audit_log_action ON audit_log (action text_pattern_ops, id);

-- Rows are added and read. Control owns its tables, for it migrates them, so no privilege would hold it
-- back: a trigger does. What is older than it is kept goes by a transaction that says so, and nothing of
-- the last thirty days does.
CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
        AND OLD.at < now() - interval '30 days'
        AND OLD.at < nullif(current_setting('sendgate.audit_before', true), '')::timestamptz
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit_log takes rows and gives none back: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_stays();
CREATE TRIGGER audit_log_stays_whole BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays();
