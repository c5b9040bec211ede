-- What became of mail, in sums by the day of its grant, written with the records they are made of.
-- Rows change with every batch: room is left in their pages, so that a new version stays beside the
-- old one and no index is touched.

-- Whose each VirtualMTA was, beside which IP it had.
ALTER TABLE vmta_ip ADD COLUMN tenant text NOT NULL DEFAULT '';
UPDATE vmta_ip SET tenant = v.tenant FROM virtual_mta v WHERE v.name = vmta_ip.vmta AND removed IS NULL;
CREATE INDEX vmta_ip_ip ON vmta_ip (ip);

CREATE OR REPLACE FUNCTION vmta_ip_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.name, OLD.ip, OLD.server, OLD.tenant)
            = (NEW.name, NEW.ip, NEW.server, NEW.tenant) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        UPDATE vmta_ip SET removed = now() WHERE vmta = OLD.name AND removed IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO vmta_ip (vmta, ip, server, tenant, created)
        VALUES (NEW.name, host(NEW.ip), NEW.server, NEW.tenant, NEW.created);
    END IF;
    RETURN NULL;
END $$;

-- `ended`: recipients of the gateway's own grants that PowerMTA has done with.
CREATE TABLE statistics_ip (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    ip              text NOT NULL,
    provider        text NOT NULL,
    relayed         integer NOT NULL DEFAULT 0,
    delivered       integer NOT NULL DEFAULT 0,
    bounced         integer NOT NULL DEFAULT 0,
    bounced_address integer NOT NULL DEFAULT 0,
    bounced_block   integer NOT NULL DEFAULT 0,
    bounced_full    integer NOT NULL DEFAULT 0,
    late            integer NOT NULL DEFAULT 0,
    expired         integer NOT NULL DEFAULT 0,
    deferred        integer NOT NULL DEFAULT 0,
    complaints      integer NOT NULL DEFAULT 0,
    ended           integer NOT NULL DEFAULT 0,
    PRIMARY KEY (day, tenant, ip, provider)
) WITH (fillfactor = 60);

CREATE TABLE statistics_campaign (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    campaign        text NOT NULL,
    provider        text NOT NULL,
    relayed         integer NOT NULL DEFAULT 0,
    delivered       integer NOT NULL DEFAULT 0,
    bounced         integer NOT NULL DEFAULT 0,
    bounced_address integer NOT NULL DEFAULT 0,
    bounced_block   integer NOT NULL DEFAULT 0,
    bounced_full    integer NOT NULL DEFAULT 0,
    late            integer NOT NULL DEFAULT 0,
    expired         integer NOT NULL DEFAULT 0,
    deferred        integer NOT NULL DEFAULT 0,
    complaints      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (day, tenant, campaign, provider)
) WITH (fillfactor = 60);

CREATE TABLE statistics_mailbox (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    mailbox         text NOT NULL,
    relayed         integer NOT NULL DEFAULT 0,
    delivered       integer NOT NULL DEFAULT 0,
    bounced         integer NOT NULL DEFAULT 0,
    bounced_address integer NOT NULL DEFAULT 0,
    bounced_block   integer NOT NULL DEFAULT 0,
    bounced_full    integer NOT NULL DEFAULT 0,
    late            integer NOT NULL DEFAULT 0,
    expired         integer NOT NULL DEFAULT 0,
    deferred        integer NOT NULL DEFAULT 0,
    complaints      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (day, tenant, mailbox)
) WITH (fillfactor = 60);

-- Found by IP or by campaign; all of a month are millions of rows.
CREATE TABLE statistics_detail (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    ip              text NOT NULL,
    campaign        text NOT NULL,
    provider        text NOT NULL,
    relayed         integer NOT NULL DEFAULT 0,
    delivered       integer NOT NULL DEFAULT 0,
    bounced         integer NOT NULL DEFAULT 0,
    bounced_address integer NOT NULL DEFAULT 0,
    bounced_block   integer NOT NULL DEFAULT 0,
    bounced_full    integer NOT NULL DEFAULT 0,
    late            integer NOT NULL DEFAULT 0,
    expired         integer NOT NULL DEFAULT 0,
    deferred        integer NOT NULL DEFAULT 0,
    complaints      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (ip, day, campaign, provider, tenant)
) WITH (fillfactor = 60);
CREATE INDEX statistics_detail_campaign ON statistics_detail (campaign, day);
CREATE INDEX statistics_detail_day ON statistics_detail (day);

CREATE TABLE statistics_category (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    ip              text NOT NULL,
    provider        text NOT NULL,
    category        text NOT NULL,
    bounced         integer NOT NULL,
    PRIMARY KEY (day, tenant, ip, provider, category)
) WITH (fillfactor = 60);

-- Campaigns and mailboxes that count under their own names; more than the bound are `other`.
CREATE TABLE statistics_name (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    kind            text NOT NULL,
    name            text NOT NULL,
    PRIMARY KEY (day, tenant, kind, name)
);

-- Deletes at most `most` rows of each table that are of days before `first`; how many it were.
CREATE FUNCTION statistics_sweep(first integer, most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    swept bigint := 0;
    here bigint;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['statistics_ip', 'statistics_campaign', 'statistics_mailbox',
        'statistics_detail', 'statistics_category', 'statistics_name']
    LOOP
        EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I WHERE day < $1 '
            'LIMIT $2))', name, name) USING first, most;
        GET DIAGNOSTICS here = ROW_COUNT;
        swept := swept + here;
    END LOOP;
    RETURN swept;
END $$;
