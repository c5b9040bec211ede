-- The other DKIM key of a sending domain whose key is being replaced: the new one until it signs, from
-- then on the former one. The key that signs is always that of `sending_domain`.
CREATE TABLE dkim_rotation (
    tenant      text NOT NULL,
    domain      text NOT NULL,
    selector    text NOT NULL,
    public      text NOT NULL,
    -- sealed as `sending_domain.dkim_private` is
    private     bytea NOT NULL,
    -- calendar milliseconds, as all times here
    began       bigint NOT NULL,
    -- since when every resolver shows the new key; NULL: not all do
    seen        bigint,
    -- when the new key began to sign; NULL: it does not yet
    switched    bigint,
    -- when DNS was asked last, and what came of it
    looked      bigint,
    said        text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, domain),
    FOREIGN KEY (tenant, domain) REFERENCES sending_domain (tenant, domain) ON DELETE CASCADE
);
