"""PostgreSQL: the schema, its named statements and what reads and writes rows."""
