"""Accounting records of every kind, whatever brought them."""

from control.store.migrations.script import run

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0023_pre_accounting_door.sql")
