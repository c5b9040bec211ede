-- Whether a tenant's duplicate keys have its id beside its name (policy/README.md: duplicates). Not
-- those of tenants that are there: their entries, held rows and envelope ids have keys of the name
-- alone. The default is theirs too, for a control of the version before may still add tenants.

ALTER TABLE tenant ADD COLUMN keyed_by_id boolean NOT NULL DEFAULT false;
