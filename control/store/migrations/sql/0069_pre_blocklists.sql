-- What each DNS blocklist said last of each IP and sending domain. `state` is of the last look;
-- `known` of the last that was answered, since `since`. `paused`: warm-up was paused for this
-- listing, once: who resumes it has the last word. Calendar milliseconds.
CREATE TABLE blocklist_answer (
    subject text NOT NULL,
    zone text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    asked bigint NOT NULL,
    trouble text NOT NULL DEFAULT '',
    known text,
    since bigint,
    answered bigint,
    codes text[] NOT NULL DEFAULT '{}',
    meaning text NOT NULL DEFAULT '',
    said text NOT NULL DEFAULT '',
    paused bigint,
    PRIMARY KEY (subject, zone)
);
CREATE INDEX blocklist_answer_listed ON blocklist_answer (subject, zone) WHERE known = 'listed';
