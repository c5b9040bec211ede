-- History that is imported: each file by how it begins and its size, and how far it is.

CREATE TABLE accounting_import (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- of the first 65,536 octets, unpacked
    digest      text NOT NULL,
    -- octets on the disk
    size        bigint NOT NULL,
    name        text NOT NULL,
    server      text NOT NULL,
    -- the token
    who         text NOT NULL,
    -- calendar milliseconds
    began       bigint NOT NULL,
    -- offsets in the unpacked content: up to there it is stored, and so much of it taken in
    stored      bigint NOT NULL DEFAULT 0,
    taken       bigint NOT NULL DEFAULT 0,
    -- nothing follows
    whole       boolean NOT NULL DEFAULT false,
    counted     bigint NOT NULL DEFAULT 0,
    repeated    bigint NOT NULL DEFAULT 0,
    set_aside   bigint NOT NULL DEFAULT 0,
    UNIQUE (digest, size)
);

ALTER TABLE accounting_batch
    -- the import it is a part of, and how many octets of the file it holds; NULL: none
    ADD COLUMN import       bigint REFERENCES accounting_import (id),
    ADD COLUMN octets       bigint;
