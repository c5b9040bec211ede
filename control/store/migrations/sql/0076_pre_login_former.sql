-- Passwords that are good besides a login's own for a while, until their clients have the new one.
-- Calendar milliseconds. A row that ended is swept; gateways hold it against its end meanwhile.
CREATE TABLE login_former (
    login   text PRIMARY KEY REFERENCES login ON DELETE CASCADE,
    tenant  text NOT NULL REFERENCES tenant ON DELETE CASCADE,
    hash    text NOT NULL,
    until   bigint NOT NULL,
    began   bigint NOT NULL,
    -- When it last let a client in; NULL: not since it is a former one.
    used    timestamptz
);
CREATE INDEX login_former_tenant ON login_former (tenant);

-- As 0015 has them.
CREATE TRIGGER plan_touch_insert AFTER INSERT ON login_former REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch('tenant', 'tenant', '');
CREATE TRIGGER plan_touch_update AFTER UPDATE ON login_former
    REFERENCING OLD TABLE AS former NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch('tenant', 'tenant', '');
CREATE TRIGGER plan_touch_delete AFTER DELETE ON login_former REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch('tenant', 'tenant', '');
CREATE TRIGGER plan_touch_truncate AFTER TRUNCATE ON login_former
    FOR EACH STATEMENT EXECUTE FUNCTION plan_touch_all();
