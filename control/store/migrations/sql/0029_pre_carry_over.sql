-- What PowerMTA still tries of earlier days.

-- When records came of a PowerMTA server ('': the batch did not say), and the time of the oldest:
-- calendar milliseconds. Imported history is not counted.
CREATE TABLE statistics_feed (
    server          text PRIMARY KEY,
    since           bigint NOT NULL,
    came            bigint NOT NULL
) WITH (fillfactor = 50);

-- Recipients of each IP that PowerMTA took and had not done with when its records were read last:
-- day of the grant to provider ('': all) to how many.
CREATE TABLE carry_over (
    ip              text PRIMARY KEY,
    -- when it changed, calendar milliseconds
    at              bigint NOT NULL,
    outstanding     jsonb NOT NULL
);
