-- What the ledger counted on days that are over, before it lets go of them.

CREATE TABLE ledger_day (
    day         integer NOT NULL,
    ip          text NOT NULL,
    -- '': charged to the IP, of no provider that is known
    provider    text NOT NULL,
    -- recipients granted by gateways
    sent        integer NOT NULL,
    -- recipients that went around them and were charged all the same
    around      integer NOT NULL,
    PRIMARY KEY (day, ip, provider)
);

CREATE TABLE consolidation (
    day         integer PRIMARY KEY,
    -- when it was looked at first, and last: calendar milliseconds
    first_at    bigint NOT NULL,
    at          bigint NOT NULL,
    sent        bigint NOT NULL,
    -- of these, by IPs whose accounting is read
    compared    bigint NOT NULL,
    -- what PowerMTA's records say of the same IPs
    accounted   bigint NOT NULL,
    -- recipients by which they differ, IP by IP
    difference  bigint NOT NULL,
    -- when the ledger let go of it; null: it has it still
    cleared     bigint
);

-- Of each day that is over, IP and provider: what the ledger counted, and what became of it as far as
-- records came. Kept for ever.
CREATE VIEW daily_statistics AS
SELECT day, (date '1970-01-01' + day) AS date, ip, provider,
    coalesce(l.sent + l.around, 0) AS sent, coalesce(s.delivered, 0) AS delivered,
    coalesce(s.bounced, 0) AS bounced, coalesce(s.complaints, 0) AS complaints,
    coalesce(s.deferred, 0) AS deferred
FROM ledger_day l
FULL JOIN (
    SELECT day, ip, provider, sum(delivered)::bigint AS delivered, sum(bounced)::bigint AS bounced,
        sum(complaints)::bigint AS complaints, sum(deferred)::bigint AS deferred
    FROM statistics_ip WHERE ip <> '' GROUP BY day, ip, provider
) s USING (day, ip, provider);
