"""Sums of campaigns by IP, in the order in which pages of them are read."""

from control.store.migrations.script import run

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0043_pre_statistics_order.sql")
