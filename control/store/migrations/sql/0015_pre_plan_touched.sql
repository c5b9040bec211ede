-- What was written since the last generation: a change compiles that and no more. Triggers say it
-- and not the code that writes, so that it cannot be forgotten, and a statement by hand counts too.
CREATE TABLE plan_touched (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- server, tenant, domain, mailbox, pool, vmta; `all`: the whole plan is made again.
    kind    text NOT NULL,
    -- Its name; of a domain and of a mailbox its tenant's.
    name    text NOT NULL,
    -- The address of a mailbox.
    part    text NOT NULL
);

-- Arguments: the kind, the column with the name, the column with the part or ''. An update that
-- leaves a row as it was says nothing; nor does one of `used`, which is no part of the plan.
CREATE FUNCTION plan_touch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named text := format('%L, %s, %s', TG_ARGV[0],
        CASE TG_ARGV[1] WHEN '' THEN '''''' ELSE format('v ->> %L', TG_ARGV[1]) END,
        CASE TG_ARGV[2] WHEN '' THEN '''''' ELSE format('v ->> %L', TG_ARGV[2]) END);
    found text := 'SELECT to_jsonb(r) - ''used'' AS v FROM changed AS r';
    former text := 'SELECT to_jsonb(r) - ''used'' AS v FROM former AS r';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        found := format('(%s EXCEPT ALL %s) UNION ALL (%s EXCEPT ALL %s)',
            found, former, former, found);
    END IF;
    EXECUTE format('INSERT INTO plan_touched (kind, name, part) SELECT DISTINCT %s FROM (%s) AS rows',
        named, found);
    RETURN NULL;
END $$;

CREATE FUNCTION plan_touch_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO plan_touched (kind, name, part) VALUES ('all', '', '');
    RETURN NULL;
END $$;

DO $$
DECLARE
    source record;
BEGIN
    FOR source IN VALUES
        ('pmta_server', 'server', 'name', ''),
        ('pmta_server_address', 'server', 'server', ''),
        ('tenant', 'tenant', 'name', ''),
        ('login', 'tenant', 'tenant', ''),
        ('tenant_network', 'tenant', 'tenant', ''),
        ('sending_domain', 'domain', 'tenant', ''),
        ('mailbox', 'mailbox', 'tenant', 'address'),
        ('pool', 'pool', 'name', ''),
        ('pool_member', 'pool', 'pool', ''),
        ('virtual_mta', 'vmta', 'name', ''),
        -- A stage concerns every IP on its plan.
        ('warmup_stage', 'all', '', '')
    LOOP
        EXECUTE format('CREATE TRIGGER plan_touch_insert AFTER INSERT ON %I
            REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION plan_touch(%L, %L, %L)',
            source.column1, source.column2, source.column3, source.column4);
        EXECUTE format('CREATE TRIGGER plan_touch_update AFTER UPDATE ON %I
            REFERENCING OLD TABLE AS former NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION plan_touch(%L, %L, %L)',
            source.column1, source.column2, source.column3, source.column4);
        EXECUTE format('CREATE TRIGGER plan_touch_delete AFTER DELETE ON %I
            REFERENCING OLD TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION plan_touch(%L, %L, %L)',
            source.column1, source.column2, source.column3, source.column4);
        EXECUTE format('CREATE TRIGGER plan_touch_truncate AFTER TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION plan_touch_all()', source.column1);
    END LOOP;
END $$;

-- What a generation was made with (settings and version), and the digest of PowerMTA's text for it.
-- Null: by a version that did not say; the next change compiles and compares whole.
ALTER TABLE generation
    ADD COLUMN basis text,
    ADD COLUMN pmta_digest text;

-- The first domain of a pool carries its SPF record.
CREATE INDEX sending_domain_pool ON sending_domain (pool, created, domain);
