-- What a token may do, and whose. Tokens that were there stay admins
-- of all tenants.
ALTER TABLE api_token
    ADD COLUMN role text NOT NULL DEFAULT 'admin'
        CHECK (role IN ('admin', 'operator', 'read', 'scrape')),
    -- NULL: all tenants.
    ADD COLUMN tenant text REFERENCES tenant,
    -- Metrics are of all tenants.
    ADD CHECK (tenant IS NULL OR role <> 'scrape');
ALTER TABLE api_token ALTER COLUMN role DROP DEFAULT;
