-- Configurations of PowerMTA servers, numbered over all of them; a number is never used again.
CREATE TABLE pmta_version (
    version     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server      text NOT NULL REFERENCES pmta_server (name) ON DELETE CASCADE,
    digest      text NOT NULL,
    -- zlib of a JSON object: file to text
    files       bytea NOT NULL,
    -- DKIM key files that it names
    keys        text[] NOT NULL,
    -- of the plan it was made for, which need not have been published
    generation  bigint NOT NULL,
    who         text NOT NULL,
    why         text NOT NULL,
    -- calendar milliseconds
    at          bigint NOT NULL
);
CREATE INDEX pmta_version_server ON pmta_version (server, version DESC);

-- Key files that versions name, sealed as those of domains are: a version is offered before its
-- domains are committed, and an older one again after they went.
CREATE TABLE pmta_key (
    name        text PRIMARY KEY,
    sealed      bytea NOT NULL
);

-- What each server is to run.
CREATE TABLE pmta_desired (
    server      text PRIMARY KEY REFERENCES pmta_server (name) ON DELETE CASCADE,
    version     bigint NOT NULL REFERENCES pmta_version (version) ON DELETE CASCADE,
    -- of pmta_offer: one version may be offered anew
    offer       bigint NOT NULL,
    -- files changed by hand may be written over
    overwrite   boolean NOT NULL,
    -- the last plan that it was found right for; NULL: offered ahead of its plan's commit
    settled     bigint,
    -- why it is not what the rows say; '': it is
    instead     text NOT NULL,
    who         text NOT NULL,
    at          bigint NOT NULL
);
CREATE SEQUENCE pmta_offer;

-- Agents that ask for their server's configuration, and what each said last.
CREATE TABLE pmta_agent (
    server      text PRIMARY KEY REFERENCES pmta_server (name) ON DELETE CASCADE,
    agent       text NOT NULL,
    -- when it was heard of, milliseconds of the machine's clock: silence is real time
    heard       bigint NOT NULL,
    -- the offer that it was given last
    fetched     bigint NOT NULL DEFAULT 0,
    -- the same when it said what `body` has; NULL: it has said nothing
    said_of     bigint,
    body        jsonb
);

-- A token for PowerMTA's host: it posts accounting, and is given the configuration with its keys.
ALTER TABLE api_token DROP CONSTRAINT api_token_role_check;
ALTER TABLE api_token ADD CONSTRAINT api_token_role_check
    CHECK (role IN ('admin', 'operator', 'read', 'scrape', 'accounting', 'agent'));
ALTER TABLE api_token ADD CHECK (tenant IS NULL OR role <> 'agent');
