"""Limits of a minute and an hour for pools, IPs and mailboxes."""

from control.store.migrations.script import run

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0058_pre_rates.sql")
