-- Campaigns of IPs without their providers, a twelfth of the rows that have them; and the details of
-- a day in the order they are asked in. Keys begin with what their rows are sorted by.

CREATE TABLE statistics_pair (
    day             integer NOT NULL,
    tenant          text NOT NULL,
    ip              text NOT NULL,
    campaign        text NOT NULL,
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
    PRIMARY KEY (ip, campaign, day, tenant)
) WITH (fillfactor = 60);
INSERT INTO statistics_pair
SELECT day, tenant, ip, campaign, sum(relayed), sum(delivered), sum(bounced), sum(bounced_address),
    sum(bounced_block), sum(bounced_full), sum(late), sum(expired), sum(deferred), sum(complaints)
FROM statistics_detail GROUP BY day, tenant, ip, campaign;
CREATE INDEX statistics_pair_day ON statistics_pair (day, ip);
CREATE INDEX statistics_pair_campaign ON statistics_pair (campaign, day);

CREATE INDEX statistics_detail_day_ip ON statistics_detail (day, ip);
DROP INDEX statistics_detail_day;

-- Records name VirtualMTAs in any case.
CREATE INDEX vmta_ip_lower ON vmta_ip (lower(vmta));

CREATE OR REPLACE FUNCTION statistics_sweep(first integer, detail integer, most integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    swept bigint := 0;
    here bigint;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['statistics_campaign', 'statistics_mailbox', 'statistics_name',
        'statistics_pair', 'statistics_detail']
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
