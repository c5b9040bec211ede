"""Limits of a minute and an hour for pools, IPs and mailboxes."""

from control.store.migrations.script import run

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0056_pre_rates.sql")
