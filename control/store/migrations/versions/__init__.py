"""One thin script a migration; the SQL is in `../sql`."""
