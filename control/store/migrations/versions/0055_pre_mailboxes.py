"""Mailboxes: ramps, drawn gaps, defaults of the tenant."""

from control.store.migrations.script import run

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0055_pre_mailboxes.sql")
