-- When a login last let a client in, as gateways tell it; NULL: not since this was noted.
ALTER TABLE login ADD COLUMN used timestamptz;
