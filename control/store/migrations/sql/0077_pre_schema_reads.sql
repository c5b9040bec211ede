-- The oldest schema whose programs run on this one. An update that failed behind its migration is gone
-- back from by starting those again, and they know nothing of what was added meanwhile.
CREATE TABLE schema_reads (
    oldest text NOT NULL,
    single boolean PRIMARY KEY DEFAULT true CHECK (single)
);
INSERT INTO schema_reads (oldest) VALUES ('0077');
