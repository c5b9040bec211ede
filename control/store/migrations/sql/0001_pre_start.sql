-- The first schema. Times are given by the caller, never by the server's clock, so that a test
-- (and an embedded stack) can move days; see the clock seam in the README.

CREATE TABLE pmta_server (
    name        text PRIMARY KEY,
    sessions    integer NOT NULL DEFAULT 80 CHECK (sessions > 0),
    created     timestamptz NOT NULL
);

CREATE TABLE pmta_server_address (
    server      text NOT NULL REFERENCES pmta_server ON DELETE CASCADE,
    position    integer NOT NULL,
    host        text NOT NULL,
    port        integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    PRIMARY KEY (server, position)
);

CREATE TABLE tenant (
    name            text PRIMARY KEY,
    profile         text NOT NULL CHECK (profile IN ('mailwizz', 'mta')),
    paused          boolean NOT NULL DEFAULT false,
    strict          boolean NOT NULL DEFAULT false,
    default_pool    text NOT NULL,
    senders         text[] NOT NULL DEFAULT '{}',
    mailbox         text NOT NULL DEFAULT 'from' CHECK (mailbox IN ('from', 'envelope')),
    rate_minute     bigint CHECK (rate_minute >= 0),
    rate_hour       bigint CHECK (rate_hour >= 0),
    max_recipients  integer NOT NULL DEFAULT 100 CHECK (max_recipients > 0),
    created         timestamptz NOT NULL
);

CREATE TABLE login (
    name        text PRIMARY KEY,
    tenant      text NOT NULL REFERENCES tenant,
    hash        text NOT NULL CHECK (hash LIKE '$argon2id$%'),
    created     timestamptz NOT NULL
);
CREATE INDEX login_tenant ON login (tenant);

CREATE TABLE tenant_network (
    network     cidr PRIMARY KEY,
    tenant      text NOT NULL REFERENCES tenant
);
CREATE INDEX tenant_network_tenant ON tenant_network (tenant);

CREATE TABLE pool (
    name        text PRIMARY KEY,
    tenant      text NOT NULL REFERENCES tenant,
    overflow    text,
    paused      boolean NOT NULL DEFAULT false,
    created     timestamptz NOT NULL,
    UNIQUE (tenant, name),
    FOREIGN KEY (tenant, overflow) REFERENCES pool (tenant, name)
);
-- A tenant and its default pool come in one transaction, each naming the other.
ALTER TABLE tenant ADD FOREIGN KEY (name, default_pool) REFERENCES pool (tenant, name)
    DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE virtual_mta (
    name            text PRIMARY KEY,
    tenant          text NOT NULL REFERENCES tenant,
    ip              inet NOT NULL UNIQUE,
    host_name       text NOT NULL,
    server          text NOT NULL REFERENCES pmta_server,
    state           text NOT NULL
                    CHECK (state IN ('new', 'warming', 'active', 'paused', 'retiring')),
    -- NULL is no answer: it stops the generation instead of being read as a number or as no limit.
    quota_source    text CHECK (quota_source IN ('plan', 'fixed', 'unlimited')),
    fixed_quota     bigint CHECK (fixed_quota >= 0),
    hourly_share    double precision NOT NULL CHECK (hourly_share > 0 AND hourly_share <= 1),
    weight          double precision NOT NULL DEFAULT 1 CHECK (weight > 0 AND weight <= 1000),
    plan            text,
    stage           integer CHECK (stage >= 1),
    -- NULL: those of the plan's stage; an object replaces them.
    ceilings        jsonb,
    created         timestamptz NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE pool_member (
    tenant      text NOT NULL,
    pool        text NOT NULL,
    vmta        text NOT NULL,
    PRIMARY KEY (pool, vmta),
    -- With the tenant in both keys a pool can never hold another tenant's VirtualMTA.
    FOREIGN KEY (tenant, pool) REFERENCES pool (tenant, name),
    FOREIGN KEY (tenant, vmta) REFERENCES virtual_mta (tenant, name)
);
CREATE INDEX pool_member_vmta ON pool_member (tenant, vmta);

CREATE TABLE sending_domain (
    tenant          text NOT NULL REFERENCES tenant,
    domain          text NOT NULL,
    pool            text NOT NULL,
    dkim_selector   text NOT NULL,
    dkim_public     text NOT NULL,
    -- Sealed with a key that is not in PostgreSQL: a dump alone signs nothing.
    dkim_private    bytea NOT NULL,
    created         timestamptz NOT NULL,
    PRIMARY KEY (tenant, domain),
    FOREIGN KEY (tenant, pool) REFERENCES pool (tenant, name)
);

CREATE TABLE warmup_plan (
    name        text PRIMARY KEY,
    created     timestamptz NOT NULL
);

CREATE TABLE warmup_stage (
    plan        text NOT NULL REFERENCES warmup_plan ON DELETE CASCADE,
    stage       integer NOT NULL CHECK (stage >= 1),
    quota       bigint NOT NULL CHECK (quota >= 0),
    ceilings    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (plan, stage)
);

CREATE TABLE warmup_history (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vmta        text NOT NULL,
    at          timestamptz NOT NULL,
    quota_before    text,
    quota_after     text NOT NULL,
    stage_before    integer,
    stage_after     integer,
    who         text NOT NULL,
    reason      text NOT NULL DEFAULT ''
);
CREATE INDEX warmup_history_vmta ON warmup_history (vmta, at);

CREATE TABLE mailbox (
    tenant      text NOT NULL REFERENCES tenant,
    address     text NOT NULL,
    daily_max   bigint CHECK (daily_max >= 0),
    spacing     double precision NOT NULL DEFAULT 0 CHECK (spacing >= 0 AND spacing <= 86400),
    PRIMARY KEY (tenant, address)
);

CREATE TABLE generation (
    number      bigint PRIMARY KEY,
    encoded     bytea NOT NULL,
    digest      text NOT NULL,
    created     timestamptz NOT NULL,
    who         text NOT NULL
);

CREATE TABLE ledger (
    name        text PRIMARY KEY,
    incarnation text NOT NULL,
    opened      timestamptz NOT NULL
);

CREATE TABLE api_token (
    name        text PRIMARY KEY,
    digest      bytea NOT NULL UNIQUE,
    created     timestamptz NOT NULL,
    used        timestamptz
);

CREATE TABLE audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    who         text NOT NULL,
    action      text NOT NULL,
    subject     text NOT NULL,
    before      jsonb,
    after       jsonb,
    reason      text NOT NULL DEFAULT ''
);
CREATE INDEX audit_log_subject ON audit_log (subject, at);
