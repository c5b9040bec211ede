-- From where a token is good, until when, and further tenants it is of.
ALTER TABLE api_token
    -- None: from anywhere.
    ADD COLUMN networks text[] NOT NULL DEFAULT '{}',
    -- By this server's clock; NULL: it does not end.
    ADD COLUMN expires timestamptz;

-- Beside api_token.tenant, which has the first of them: a token that is of some is never of all.
CREATE TABLE api_token_tenant (
    token       text NOT NULL REFERENCES api_token ON DELETE CASCADE,
    tenant      text NOT NULL REFERENCES tenant ON DELETE CASCADE,
    PRIMARY KEY (token, tenant)
);
CREATE INDEX api_token_tenant_tenant ON api_token_tenant (tenant);
