-- What digests that stand for addresses are keyed with, sealed with control.secret: it outlives that.
CREATE TABLE naming_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    sealed bytea NOT NULL
);

-- When a key that others sign with was last used, by its fingerprint.
CREATE TABLE secret_used (
    secret text NOT NULL,
    fingerprint text NOT NULL,
    used timestamptz NOT NULL,
    PRIMARY KEY (secret, fingerprint)
);
