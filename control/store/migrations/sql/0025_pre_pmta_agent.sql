-- Accounting that an agent ships from PowerMTA's host, and what that PowerMTA says of itself.

ALTER TABLE accounting_stream
    -- the agent that ships it; '': its files are read by a control process
    ADD COLUMN agent        text NOT NULL DEFAULT '',
    -- octets that the agent has not shipped yet; NULL: it did not say
    ADD COLUMN behind       bigint;

-- The last status of each PowerMTA server, as its agent told it.
CREATE TABLE pmta_status (
    server      text PRIMARY KEY REFERENCES pmta_server (name) ON DELETE CASCADE,
    agent       text NOT NULL,
    -- calendar milliseconds
    at          bigint NOT NULL,
    body        jsonb NOT NULL
);
