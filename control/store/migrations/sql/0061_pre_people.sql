-- Who signs in by name and password, and how that goes on. Times are of this server's clock: a
-- session ends when it ends, wherever the ledger's calendar stands.
CREATE TABLE person (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    role        text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- Whether all tenants are its; else those of person_tenant, none when the last of them went.
    everywhere  boolean NOT NULL,
    mail        text,
    -- PHC string; NULL until the invitation was taken.
    password    text,
    disabled    boolean NOT NULL DEFAULT false,
    created     timestamptz NOT NULL,
    used        timestamptz,
    -- The secret of its codes, sealed; they are asked for once one of them was given.
    totp        bytea,
    totp_on     boolean NOT NULL DEFAULT false,
    -- The last time step a code was taken of: each is good once (RFC 6238, 5.2).
    totp_step   bigint NOT NULL DEFAULT 0,
    CHECK (NOT totp_on OR totp IS NOT NULL)
);

CREATE TABLE person_tenant (
    person      bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    tenant      text NOT NULL REFERENCES tenant ON DELETE CASCADE,
    PRIMARY KEY (person, tenant)
);
CREATE INDEX person_tenant_tenant ON person_tenant (tenant);

-- One-time links: one of each person, as a digest.
CREATE TABLE person_link (
    person      bigint PRIMARY KEY REFERENCES person ON DELETE CASCADE,
    digest      bytea NOT NULL UNIQUE,
    expires     timestamptz NOT NULL
);

CREATE TABLE recovery_code (
    person      bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    digest      bytea NOT NULL,
    PRIMARY KEY (person, digest)
);

CREATE TABLE session (
    id          uuid PRIMARY KEY,
    person      bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    source      text NOT NULL,
    started     timestamptz NOT NULL,
    ends        timestamptz NOT NULL,
    -- Why it ended before that; '': it did not.
    ended       text NOT NULL DEFAULT ''
);
CREATE INDEX session_person ON session (person);
CREATE INDEX session_ends ON session (ends);

-- Those that were used stay as long as their session: one that comes again was stolen.
CREATE TABLE refresh_token (
    digest      bytea PRIMARY KEY,
    session     uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    expires     timestamptz NOT NULL,
    used        timestamptz
);
CREATE INDEX refresh_token_session ON refresh_token (session);

-- Keys of access tokens, sealed. One without an end signs; the others are good until theirs.
CREATE TABLE signing_key (
    kid         text PRIMARY KEY,
    sealed      bytea NOT NULL,
    made        timestamptz NOT NULL,
    until       timestamptz
);
CREATE UNIQUE INDEX signing_key_signs ON signing_key ((true)) WHERE until IS NULL;

-- Failures by account (a digest of what was given as its name) and source.
CREATE TABLE login_attempt (
    account     bytea NOT NULL,
    source      text NOT NULL,
    failures    int NOT NULL,
    at          timestamptz NOT NULL,
    -- Until then the two are locked.
    until       timestamptz NOT NULL,
    -- When that account signed in from there last; NULL: never.
    known       timestamptz,
    PRIMARY KEY (account, source)
);
CREATE INDEX login_attempt_account ON login_attempt (account, at);
CREATE INDEX login_attempt_source ON login_attempt (source, at);
CREATE INDEX login_attempt_at ON login_attempt (at);
