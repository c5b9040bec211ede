-- Sums of campaigns by IP stand in the order of their pages: a page of any of their keys reads its
-- own rows alone, whichever tenant they are of. The day comes last: all that a page adds up lies
-- beside each other.

ALTER TABLE statistics_pair DROP CONSTRAINT statistics_pair_pkey,
    ADD PRIMARY KEY (ip, campaign, tenant, day);
