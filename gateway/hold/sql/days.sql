-- The days there are.
SELECT substr(c.relname, 6)::integer AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'held'::regclass
