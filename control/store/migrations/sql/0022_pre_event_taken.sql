-- When the sender's system was told: nobody ever wrote it. Reports go by mail (`dsn`), and who reads
-- events goes on behind the last one's id. Its index goes with it, which had every event.
ALTER TABLE hold_event DROP COLUMN taken;
