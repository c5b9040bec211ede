-- What the last daily look found published of each sending domain. `valid`: of the last look that was
-- answered. Calendar milliseconds.
CREATE TABLE domain_check (
    tenant text NOT NULL,
    domain text NOT NULL,
    verdict text NOT NULL,
    what text NOT NULL,
    checked bigint NOT NULL,
    valid boolean,
    PRIMARY KEY (tenant, domain)
);
