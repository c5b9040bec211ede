-- Of a tenant with 100,000 logins each part sorted all of them. What the new ones begin with, they are
-- in the place of.
CREATE INDEX login_of_tenant ON login (tenant, name COLLATE "C");
CREATE INDEX login_of_tenant_by_age ON login (tenant, created, name COLLATE "C");
DROP INDEX login_tenant;
CREATE INDEX tenant_network_of_tenant ON tenant_network (tenant, network);
DROP INDEX tenant_network_tenant;
CREATE INDEX accounting_import_server ON accounting_import (server, id);
CREATE INDEX person_by_age ON person (created, name COLLATE "C");
CREATE INDEX person_in_order ON person (name COLLATE "C");
CREATE INDEX api_token_by_age ON api_token (created, name COLLATE "C");
CREATE INDEX api_token_in_order ON api_token (name COLLATE "C");
