-- A generation in parts, named by their digests (policy/division.py): `generation.encoded` is the
-- manifest that names them, and a part that many generations have stands here once. Those of before
-- stay whole.
CREATE TABLE plan_part (
    digest  bytea PRIMARY KEY,
    body    bytea NOT NULL,
    -- The first generation that has it no more; null: the last one has it. Those that came before
    -- and are kept may.
    gone    bigint
);
CREATE INDEX plan_part_gone ON plan_part (gone) WHERE gone IS NOT NULL;
