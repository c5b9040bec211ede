"""Backups: PostgreSQL, secrets and the ledger's counts in one sealed file, and back again."""
