-- Domains of a tenant's brand, from which nothing is sent by Sendgate.
ALTER TABLE tenant ADD COLUMN brand_domains text[] NOT NULL DEFAULT '{}';
