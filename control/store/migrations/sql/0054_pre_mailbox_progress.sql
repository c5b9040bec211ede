-- How far mailboxes come in their day, beside what accounting says of them.

-- Recipients that PowerMTA refused, by the mailbox that sent; mailboxes beyond `statistics.names`
-- together as `other`. Swept with the sums of mailboxes.
CREATE TABLE mailbox_refused (
    day         integer NOT NULL,
    tenant      text NOT NULL,
    mailbox     text NOT NULL,
    recipients  integer NOT NULL DEFAULT 0,
    PRIMARY KEY (day, tenant, mailbox)
) WITH (fillfactor = 80);

-- Days in a row, up to `day`, on which a mailbox reached its minimum. Without a row it never did.
CREATE TABLE mailbox_streak (
    tenant      text NOT NULL,
    mailbox     text NOT NULL,
    day         integer NOT NULL,
    days        integer NOT NULL,
    PRIMARY KEY (tenant, mailbox)
) WITH (fillfactor = 80);

-- A name may be another tenant's later.
CREATE FUNCTION mailbox_progress_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM mailbox_refused WHERE tenant = OLD.name;
    DELETE FROM mailbox_streak WHERE tenant = OLD.name;
    RETURN NULL;
END $$;
CREATE TRIGGER mailbox_progress_gone AFTER DELETE ON tenant
    FOR EACH ROW EXECUTE FUNCTION mailbox_progress_gone();
CREATE INDEX mailbox_refused_tenant ON mailbox_refused (tenant);

CREATE OR REPLACE FUNCTION statistics_sweep(first integer, detail integer, most integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    swept bigint := 0;
    here bigint;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['statistics_campaign', 'statistics_mailbox', 'statistics_name',
        'mailbox_refused', 'statistics_pair', 'statistics_detail']
    LOOP
        EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I WHERE day < $1 '
            'LIMIT $2))', name, name)
        USING CASE WHEN name IN ('statistics_pair', 'statistics_detail') THEN detail ELSE first END,
            most;
        GET DIAGNOSTICS here = ROW_COUNT;
        swept := swept + here;
    END LOOP;
    RETURN swept;
END $$;
