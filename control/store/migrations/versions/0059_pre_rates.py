"""Limits of a minute and an hour for pools, IPs and mailboxes."""

from control.store.migrations.script import run

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0059_pre_rates.sql")
