"""PostgreSQL: schema, migrations and named queries."""
