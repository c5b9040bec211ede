-- PowerMTA's accounting files as it names them, each with how far it was read. A stream's row keeps
-- the file being read and what it counts.

CREATE TABLE accounting_file (
    server      text NOT NULL,
    -- as PowerMTA named it, packed or not
    file        text NOT NULL,
    inode       bigint NOT NULL,
    -- in the unpacked content, with a digest of the octets before it ('': none was taken)
    position    bigint NOT NULL,
    mark        text NOT NULL,
    header      text NOT NULL,
    -- reading, whole (a later one exists) or lost (it vanished before)
    state       text NOT NULL,
    read        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (server, file)
);

-- The digests of the receipts (r records) that were counted, 8 octets each, so that a copy of a file
-- counts none again. NULL: counted by a release that kept none.
ALTER TABLE receipt ADD COLUMN seen bytea;

ALTER TABLE accounting_stream
    -- raised by every look that is stored: two readers never store the same one
    ADD COLUMN turn         bigint NOT NULL DEFAULT 0,
    -- machine's time of the last look that found everything read
    ADD COLUMN ended        timestamptz,
    -- whether the folder was looked at ever since the newest file was seen to be the one written
    ADD COLUMN watched      boolean NOT NULL DEFAULT false,
    -- r records read, and those with an envelope id of ours
    ADD COLUMN received     bigint NOT NULL DEFAULT 0,
    ADD COLUMN named        bigint NOT NULL DEFAULT 0,
    -- of those, the ones without a recipient or a VirtualMTA
    ADD COLUMN unaddressed  bigint NOT NULL DEFAULT 0,
    -- records read since the last r record
    ADD COLUMN behind_receipt bigint NOT NULL DEFAULT 0;

-- Releases before took every numbered file for a finished one, and the growing one for another file
-- whenever it had grown: of each name the furthest position is the one to go on from.
INSERT INTO accounting_file (server, file, inode, position, mark, header, state)
SELECT DISTINCT ON (s.server, d.part[3]) s.server, d.part[3], d.part[1]::bigint, d.part[2]::bigint,
    '', s.header, 'whole'
FROM accounting_stream s, unnest(s.done) AS name,
    regexp_match(name, '^(-?[0-9]+):([0-9]+):(.*)$') AS d (part)
WHERE d.part IS NOT NULL
ORDER BY s.server, d.part[3], d.part[2]::bigint DESC;

INSERT INTO accounting_file (server, file, inode, position, mark, header, state)
SELECT server, file, inode, position, mark, header, 'reading' FROM accounting_stream
WHERE file <> ''
ON CONFLICT (server, file) DO UPDATE SET inode = excluded.inode, mark = excluded.mark,
    position = excluded.position, state = 'reading'
WHERE accounting_file.position < excluded.position;

-- The newest was not finished, whatever was believed.
UPDATE accounting_file f SET state = 'reading'
WHERE file = (SELECT max(file) FROM accounting_file WHERE server = f.server);

-- Nor did they see a file that was missing: what they read proves no absence.
UPDATE accounting_stream SET gap_at = greatest(gap_at, (extract(epoch FROM now()) * 1000)::bigint),
    gap = 'read by a release that did not notice missing files'
WHERE read_at > 0;

ALTER TABLE accounting_stream DROP COLUMN done, DROP COLUMN inode, DROP COLUMN position,
    DROP COLUMN mark, DROP COLUMN header;
