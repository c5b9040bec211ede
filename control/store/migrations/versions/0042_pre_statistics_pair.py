"""Sums of campaigns by IP, and what the largest table is read by."""

from control.store.migrations.script import run

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    """Run the SQL of this revision."""
    run("0042_pre_statistics_pair.sql")
