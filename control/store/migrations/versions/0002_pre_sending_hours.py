"""Sending hours and default mailbox limits of a tenant."""

from control.store.migrations.script import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0002_pre_sending_hours.sql")
