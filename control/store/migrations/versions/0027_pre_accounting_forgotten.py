"""Addresses to be taken out of what is kept of accounting."""

from control.store.migrations.script import run

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0027_pre_accounting_forgotten.sql")
