"""Rows of a message with several recipients have entries of their own."""

from control.store.migrations.script import run

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0011_pre_hold_recipients.sql")
